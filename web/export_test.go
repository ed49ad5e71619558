package web

// Routes returns the method and the pattern of every route, for tests that walk them all.
func Routes() (all [][2]string) {
	for _, r := range table {
		all = append(all, [2]string{r.method, r.path})
	}
	return all
}
