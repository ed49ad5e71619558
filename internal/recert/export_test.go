package recert_test

import "strconv"

func idText(id int64) string { return strconv.FormatInt(id, 10) }
