package web

// Routes lists the whole surface as "METHOD /pattern".
func Routes() []string {
	all := make([]string, len(table))
	for i, r := range table {
		all[i] = r.method + " " + r.path
	}
	return all
}
