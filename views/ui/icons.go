package ui

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/a-h/templ"
)

// Icon draws an inline outline icon, size × size CSS pixels, in the colour of the text around it and hidden from screen
// readers: the words beside it, or a visually hidden text, carry the meaning. A name missing in the table is a render error.
func Icon(name string, size int) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		inner, ok := icons[name]
		if !ok {
			return fmt.Errorf("ui: no icon named %q", name)
		}
		return writeAll(w, opening(size, "24"),
			` fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">`,
			inner, `</svg>`)
	})
}

// Mark draws the doorplate, size × size CSS pixels, hidden from screen readers because the name stands next to it.
func Mark(size int) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		return writeAll(w, opening(size, "64"), ` aria-hidden="true">`, mark, `</svg>`)
	})
}

// mark is the inside of static/img/mark.svg, drawn in a 64 × 64 box.
const mark = `<rect width="64" height="64" rx="15" fill="#0f3d91"/>` +
	`<rect x="4" y="4" width="56" height="56" rx="11.5" fill="none" stroke="#fff" stroke-width="2"/>` +
	`<g fill="#fff"><circle cx="10.6" cy="32" r="2.3"/><circle cx="53.4" cy="32" r="2.3"/><rect x="27.5" y="31" width="9" height="9" rx="1.5"/></g>` +
	`<path d="M20 23v26M20.5 13.5l4 4.5M31 16.5h12.5v29.5q0 3-3 3h-2" fill="none" stroke="#fff" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round"/>`

// opening is the start of an <svg> tag, left open for more attributes; box is the side of the drawing's own square.
func opening(size int, box string) string {
	side := strconv.Itoa(size)
	return `<svg width="` + side + `" height="` + side + `" viewBox="0 0 ` + box + ` ` + box + `"`
}

func writeAll(w io.Writer, parts ...string) error {
	for _, part := range parts {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}
