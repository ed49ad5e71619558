package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// linesAtOnce is how many lines one goroutine decodes; some such batches are
// decoded side by side, for that takes longer than hashing them.
const (
	linesAtOnce   = 512
	batchesAtOnce = 4
)

// decoded is one line of an exported file.
type decoded struct {
	number int
	line   line
	err    error
}

// batch is some lines in a row. done is closed when they are decoded.
type batch struct {
	first int
	text  [][]byte
	lines []decoded
	err   error // reading ended with it
	done  chan struct{}
}

// decodeLines yields the lines of a file in their order. After an error comes nothing.
func decodeLines(r io.Reader) iter.Seq[decoded] {
	return func(yield func(decoded) bool) {
		stop := make(chan struct{})
		defer close(stop)
		for b := range batches(r, stop) {
			<-b.done
			for _, d := range b.lines {
				if !yield(d) || d.err != nil {
					return
				}
			}
			if b.err != nil {
				yield(decoded{err: b.err})
				return
			}
		}
	}
}

// batches reads the file and decodes ahead, not further than batchesAtOnce.
func batches(r io.Reader, stop <-chan struct{}) <-chan *batch {
	out := make(chan *batch, batchesAtOnce)
	go func() {
		defer close(out)
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), lineMax)
		for first, more := 1, true; more; first += linesAtOnce {
			b := &batch{first: first, done: make(chan struct{})}
			for more = true; more && len(b.text) < linesAtOnce; {
				if more = lines.Scan(); more {
					b.text = append(b.text, bytes.Clone(lines.Bytes()))
				}
			}
			if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
				b.err = notAnEntry(first + len(b.text))
			} else if err != nil {
				b.err = fmt.Errorf("read the exported audit trail: %w", err)
			}
			go b.decode()
			select {
			case out <- b:
			case <-stop:
				return
			}
		}
	}()
	return out
}

func (b *batch) decode() {
	defer close(b.done)
	b.lines = make([]decoded, len(b.text))
	for i, text := range b.text {
		d := &b.lines[i]
		d.number = b.first + i
		if json.Unmarshal(text, &d.line) != nil {
			d.err = notAnEntry(d.number)
			b.lines = b.lines[:i+1]
			return
		}
	}
}
