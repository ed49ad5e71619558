package group

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"
)

// Challenges that a code may leave out, and in the case of the first two ask
// for, whatever its group says; see OwnAsks.
const (
	AskInvite   = "invite"
	AskLast4    = "last4"
	AskQuestion = "question"
	AskFields   = "fields"
	AskEmail    = "email"
)

// Challenges lists them in the order of the join page.
var Challenges = []string{AskInvite, AskLast4, AskQuestion, AskEmail, AskFields}

// Kinds of a questionnaire's fields.
const (
	FieldText   = "text"
	FieldChoice = "choice"
	FieldNumber = "number"
	FieldDate   = "date"
	FieldYesNo  = "yesno"
)

// FieldKinds lists them in the order of the form.
var FieldKinds = []string{FieldText, FieldChoice, FieldNumber, FieldDate, FieldYesNo}

// Bounds of what a group asks, in characters where they are not counts.
const (
	MaxFields      = 8
	MaxFieldLabel  = 60
	MaxOptions     = 12
	MaxOption      = 40
	MaxQuestion    = 120
	MaxAnswers     = 20
	MaxAnswer      = 60
	MaxDomains     = 10
	maxDomain      = 253
	MaxFieldAnswer = 500
)

// Field is one question of a questionnaire.
type Field struct {
	Key      string   `json:"key"` // q1, q2, …: never given twice in one group
	Label    string   `json:"label"`
	Kind     string   `json:"kind"`
	Options  []string `json:"options,omitempty"` // of a choice
	Required bool     `json:"required,omitempty"`
}

// Asking is what a group asks of who wants in, whatever its join mode. req: B27, B31, C29
type Asking struct {
	Invite   bool // a code of one of its invite batches
	Last4    bool // the last digits of the registered phone
	Question string
	Answers  []string // accepted; compared by Plain
	Domains  []string // of e-mail addresses, in small letters
	Fields   []Field
	Version  int // 0: it never asked anything
	nextKey  int
}

// Any reports whether anything is asked.
func (a Asking) Any() bool {
	return a.Invite || a.Last4 || a.Question != "" || len(a.Domains) > 0 || len(a.Fields) > 0
}

// By is what is asked at a code with these own challenges.
func (a Asking) By(own string) Asking {
	for _, word := range strings.Fields(own) {
		switch word {
		case "+" + AskInvite:
			a.Invite = true
		case "-" + AskInvite:
			a.Invite = false
		case "+" + AskLast4:
			a.Last4 = true
		case "-" + AskLast4:
			a.Last4 = false
		case "-" + AskQuestion:
			a.Question, a.Answers = "", nil
		case "-" + AskEmail:
			a.Domains = nil
		case "-" + AskFields:
			a.Fields = nil
		}
	}
	return a
}

// OwnAsks keeps what a code may say about challenges, each once and in one order.
func OwnAsks(typed []string) string {
	var kept []string
	for _, name := range Challenges {
		switch {
		case slices.Contains(typed, "-"+name):
			kept = append(kept, "-"+name)
		case slices.Contains(typed, "+"+name) && (name == AskInvite || name == AskLast4):
			kept = append(kept, "+"+name)
		}
	}
	return strings.Join(kept, " ")
}

// Accepts reports whether an answer is one of the accepted: width, case and
// spaces make no difference. req: C18
func (a Asking) Accepts(answer string) bool {
	answer = Plain(answer)
	return answer != "" && slices.ContainsFunc(a.Answers, func(right string) bool { return Plain(right) == answer })
}

// Plain is a text as answers are compared: in one width and case, without spaces and what cannot be seen.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(strings.ToLower(text)))
}

// Narrow is typed text in one width: full-width digits and signs are the usual ones.
func Narrow(text string) string { return strings.TrimSpace(norm.NFKC.String(text)) }

// FitsDomain reports whether a text is an e-mail address of one of the domains.
// It proves nothing: anybody can type any address.
func (a Asking) FitsDomain(address string) bool {
	at, err := mail.ParseAddress(address)
	if err != nil || at.Address != address || at.Name != "" {
		return false
	}
	_, domain, _ := strings.Cut(address, "@")
	return slices.Contains(a.Domains, strings.ToLower(domain))
}

// Answer reads what was typed into the field, in the form it is kept in; ok is
// false for what does not fit its kind. An empty answer is empty.
func (f Field) Answer(typed string) (value string, ok bool) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return "", true
	}
	switch f.Kind {
	case FieldChoice:
		return typed, slices.Contains(f.Options, typed)
	case FieldNumber:
		n, err := strconv.ParseFloat(Narrow(typed), 64)
		if err != nil || n < -1e12 || n > 1e12 || n != n {
			return "", false
		}
		return strconv.FormatFloat(n, 'f', -1, 64), true
	case FieldDate:
		day, err := time.Parse(time.DateOnly, Narrow(typed))
		if err != nil || day.Year() < 1900 || day.Year() > 2200 {
			return "", false
		}
		return day.Format(time.DateOnly), true
	case FieldYesNo:
		return typed, typed == "yes" || typed == "no"
	}
	text := Lines(typed)
	return text, len([]rune(text)) <= MaxFieldAnswer
}

// askingRow is how it is stored: lists as JSON.
type askingRow struct {
	GroupID   int64 `gorm:"primaryKey;autoIncrement:false"`
	Invite    bool
	Last4     bool
	Question  string
	Answers   string
	Domains   string
	Fields    string
	NextKey   int
	Version   int
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
	UpdatedBy *int64
}

func (askingRow) TableName() string { return "group_asking" }

// AskingOf reads what a group asks.
func AskingOf(tx *gorm.DB, g Group) (Asking, error) {
	if !g.Asks {
		return Asking{}, nil
	}
	a, _, err := readAsking(tx, g.ID)
	return a, err
}

func readAsking(tx *gorm.DB, groupID int64) (a Asking, row askingRow, err error) {
	a.nextKey = 1
	var rows []askingRow
	if err = tx.Where("group_id = ?", groupID).Limit(1).Find(&rows).Error; err != nil {
		return a, row, fmt.Errorf("read what the group asks: %w", err)
	}
	if len(rows) == 0 {
		return a, row, nil
	}
	row = rows[0]
	a = Asking{Invite: row.Invite, Last4: row.Last4, Question: row.Question, Version: row.Version, nextKey: row.NextKey}
	for text, into := range map[*string]any{&row.Answers: &a.Answers, &row.Domains: &a.Domains, &row.Fields: &a.Fields} {
		if *text == "" {
			continue
		}
		if err = json.Unmarshal([]byte(*text), into); err != nil {
			return a, row, fmt.Errorf("understand what the group asks: %w", err)
		}
	}
	return a, row, nil
}

// row lays it into a row.
func (a Asking) row() (askingRow, error) {
	r := askingRow{Invite: a.Invite, Last4: a.Last4, Question: a.Question, NextKey: a.nextKey, Version: a.Version}
	for into, list := range map[*string]any{&r.Answers: a.Answers, &r.Domains: a.Domains, &r.Fields: a.Fields} {
		text, err := json.Marshal(list)
		if err != nil {
			return r, fmt.Errorf("write what the group asks: %w", err)
		}
		if *into = string(text); *into == "null" {
			*into = ""
		}
	}
	return r, nil
}

// copyAsking makes a group that is made after another ask the same.
func copyAsking(tx *gorm.DB, from, to Group, at time.Time) error {
	if !from.Asks {
		return nil
	}
	err := tx.Exec(`INSERT INTO group_asking (group_id, invite, last4, question, answers, domains, fields, next_key, version, updated_at, updated_by)
		SELECT ?, invite, last4, question, answers, domains, fields, next_key, 1, ?, updated_by FROM group_asking WHERE group_id = ?`, to.ID, at.UTC(), from.ID).Error
	if err != nil {
		return fmt.Errorf("copy what the group asks: %w", err)
	}
	return nil
}
