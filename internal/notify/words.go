package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/i18n"
)

// Line is one thing that a message says.
type Line struct {
	Kind  string
	Href  string
	Args  string
	Times int
	At    time.Time
}

// Say puts a fact into words: what happened in one sentence, and what is to be
// said beyond that, "" when nothing is.
func (l Line) Say(lang string) (title, more string) {
	values := map[string]any{}
	_ = json.Unmarshal([]byte(l.Args), &values) // a line without its values is said all the same
	args := []any{}
	for _, name := range placeholders {
		v, there := values[name]
		if f, number := v.(float64); number {
			v = int64(f)
		}
		if !there {
			v = i18n.In(lang, "notices.none."+name)
		}
		args = append(args, name, v)
	}
	key := "notices.say." + l.Kind
	if _, known := kinds[l.Kind]; !known && l.Kind != testKind {
		return l.Kind, ""
	}
	if l.Times > 1 && kinds[l.Kind].flood {
		return i18n.In(lang, "notices.many."+l.Kind, append(args, "Count", l.Times)...), ""
	}
	for _, name := range []string{"Reason", "Welcome"} {
		if v, there := values[name]; there && more == "" {
			more = i18n.In(lang, "notices.more."+name, name, v)
		}
	}
	return i18n.In(lang, key, args...), more
}

// placeholders are the values that texts of facts may name.
var placeholders = []string{"Group", "Name", "By", "Code", "Members", "Sent", "Label"}

// testKind is the message that a super admin sends to try a mail server or a webhook.
const testKind = "test"

// linesOf reads what a message says, at most linesShown lines of it.
func linesOf(tx *gorm.DB, m *Message) (lines []Line, all int, err error) {
	if m.Kind != digestKind {
		return []Line{{Kind: m.Kind, Href: m.Href, Args: m.Args, Times: m.Times, At: m.UpdatedAt}}, m.Times, nil
	}
	err = tx.Raw("SELECT kind, href, args, times, at FROM message_lines WHERE message_id = ? ORDER BY at DESC, line_key LIMIT ?", m.ID, linesShown).Scan(&lines).Error
	if err != nil {
		return nil, 0, fmt.Errorf("read the lines of a digest: %w", err)
	}
	return lines, m.Times, nil
}

// linesShown is how many things one mail lists; the rest is a number.
const linesShown = 40

// compose writes a mail's subject and text.
func (s *Service) compose(lang, organisation string, lines []Line, all int) (subject, body string) {
	var text strings.Builder
	listed := 0
	for i, l := range lines {
		title, more := l.Say(lang)
		if i == 0 {
			subject = title
		}
		listed += l.Times
		text.WriteString(title + "\n")
		if more != "" {
			text.WriteString(more + "\n")
		}
		if l.Href != "" {
			text.WriteString(s.opt.BaseURL + l.Href + "\n")
		}
		text.WriteString("\n")
	}
	if len(lines) > 1 {
		subject = i18n.In(lang, "notices.mail.many", "Count", all)
	}
	if listed < all {
		text.WriteString(i18n.In(lang, "notices.mail.rest", "Count", all-listed) + "\n\n")
	}
	text.WriteString(i18n.In(lang, "notices.mail.foot", "Organisation", organisation, "Link", s.opt.BaseURL+settingsPath) + "\n")
	return organisation + i18n.In(lang, "notices.mail.colon") + subject, text.String()
}
