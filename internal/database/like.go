package database

import "strings"

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// EscapeLike takes the wildcards out of what somebody searches for. The
// condition reads LIKE ? ESCAPE '\' on either database.
func EscapeLike(text string) string { return likeEscaper.Replace(text) }
