package directory

// reading is a batch of rows taken apart, not yet compared with anybody.
type reading struct {
	from int
	rows []plannedRow
	said []fields
}

// read takes the batch apart that begins at a record, and meanwhile already the
// one behind it: while the database works on a batch, we have nothing else to do.
func (r *run) read(from int) (these reading) {
	if r.ahead != nil {
		these = <-r.ahead
	}
	if r.ahead == nil || these.rows == nil || these.from != from {
		these = r.sheet.readFrom(from)
	}
	r.ahead = make(chan reading, 1)
	go func(ahead chan<- reading, sheet *sheet) {
		var next reading
		defer func() {
			_ = recover() // who reads it for good panics again, where it is caught
			ahead <- next
		}()
		next = sheet.readFrom(from + importBatch)
	}(r.ahead, r.sheet)
	return these
}

func (s *sheet) readFrom(from int) reading {
	records := s.records[min(from, len(s.records)):]
	records = records[:min(importBatch, len(records))]
	these := reading{from, make([]plannedRow, len(records)), make([]fields, len(records))}
	for i, rec := range records {
		these.rows[i], these.said[i] = s.read(rec)
	}
	return these
}
