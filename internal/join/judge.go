package join

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/rules"
)

// What became of a request by the rules when it was sent.
const (
	RuledDone   = "done"   // decided
	RuledHeld   = "held"   // a rule left it to people
	RuledFull   = "full"   // a rule would have approved, and there was no seat
	RuledAuthor = "author" // a rule would have approved its own author
)

// Ruling is what the rules said about a request when it was sent, with the
// facts as they were then.
type Ruling struct {
	RequestID    int64 `gorm:"primaryKey;autoIncrement:false"`
	At           time.Time
	Facts        string
	Verdict      rules.Verdict
	RuleID       *int64
	RuleName     string // as the rule was called then
	Whose        string // organisation or group
	Score        int
	Points       string
	Outcome      string
	OverturnedAt *time.Time
	OverturnedBy *int64
}

// TableName is for gorm.
func (Ruling) TableName() string { return "request_rulings" }

// Decided reports whether a rule decided, and nobody has changed that since.
func (r *Ruling) Decided() bool {
	return r != nil && r.Outcome == RuledDone && r.OverturnedAt == nil
}

// Reasons are the named points of the score.
func (r *Ruling) Reasons() (all []rules.Point) {
	if r == nil || json.Unmarshal([]byte(r.Points), &all) != nil {
		return nil
	}
	return all
}

// judge asks the rules about a request that has just been written. Where one
// decides, that happens as a person's decision does, in the same transaction.
func (s *Service) judge(tx *gorm.DB, v visit, who Visitor, r *Request, answers []Answer, out *View) error {
	home, err := rules.Home(tx, v.group)
	if err != nil {
		return err
	}
	set, err := rules.InForce(tx, home)
	if err != nil {
		return err
	}
	f, err := s.factsOf(tx, v.code.Code, who.Address, home, *r, answers, set)
	if err != nil {
		return err
	}
	said := rules.Judge(set, f)
	if said.Verdict == rules.Approve && !v.seats {
		return errFollowed // such a rule came while we waited: hold the group as it needs, and ask again
	}
	kept, err := newRuling(*r, f, said)
	if err != nil {
		return err
	}
	if said.Verdict == rules.Approve || said.Verdict == rules.Refuse {
		if kept.Outcome, err = s.obey(tx, v, *said.Rule, said.Verdict, r, out); err != nil {
			return err
		}
	}
	if err := tx.Create(&kept).Error; err != nil {
		return fmt.Errorf("keep the ruling: %w", err)
	}
	return nil
}

func newRuling(r Request, f rules.Facts, said rules.Ruling) (Ruling, error) {
	facts, err := json.Marshal(f)
	if err != nil {
		return Ruling{}, fmt.Errorf("keep the facts: %w", err)
	}
	points, err := json.Marshal(said.Score.Points)
	if err != nil {
		return Ruling{}, fmt.Errorf("keep the score: %w", err)
	}
	kept := Ruling{RequestID: r.ID, At: r.CreatedAt, Facts: string(facts), Verdict: said.Verdict, Score: said.Score.Total, Points: string(points)}
	if said.Rule != nil {
		kept.RuleID, kept.RuleName, kept.Whose, kept.Outcome = &said.Rule.ID, said.Rule.Name, "organisation", RuledHeld
		if said.Rule.Own() {
			kept.Whose = "group"
		}
		if said.Author {
			kept.Outcome = RuledAuthor
		}
	}
	return kept, nil
}

// obey decides the request as the rule says, and shows it to the visitor.
func (s *Service) obey(tx *gorm.DB, v visit, rule rules.Rule, verdict rules.Verdict, r *Request, out *View) (outcome string, err error) {
	d := Decision{Approve: verdict == rules.Approve, Reason: rule.Reason}
	if d.Approve {
		d.Reason = ""
	}
	rows, err := byIDs(tx, []int64{r.ID})
	if err != nil {
		return "", err
	}
	row, by := rows[r.ID], rules.By(rule)
	result, err := s.decideOne(tx, by, d, row)
	if err != nil {
		return "", err
	}
	switch result.Outcome {
	case Full:
		return RuledFull, nil
	case Approved:
		out.State, out.ruled = StateIn, true // the page that follows shows the entry
	case Rejected:
		now := s.now().UTC()
		r.Status, r.Reason, r.DecidedAt = Rejected, d.Reason, &now
		out.State, out.Why = StateRefused, Turned
		if _, err := s.turnedDown(tx, v, out); err != nil {
			return "", err
		}
	default:
		return RuledHeld, nil
	}
	out.Ruled = true
	e := row.event(d)
	e.Details["rule"] = rule.ID
	return RuledDone, s.trail.RecordAll(tx, by, []audit.Event{e})
}

// decider is whom a decision names: nobody when it was no person.
func decider(by access.Actor) *int64 {
	if by.MemberID == 0 {
		return nil
	}
	return &by.MemberID
}

// factsOf gathers what the rules may ask of a request that is being sent.
func (s *Service) factsOf(tx *gorm.DB, c code.Code, address string, home int64, r Request, answers []Answer, set []rules.Rule) (f rules.Facts, err error) {
	if r.MemberID != nil {
		f.MemberID = *r.MemberID
		err = tx.Raw("SELECT d.path FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = ? ORDER BY d.path", f.MemberID).Scan(&f.Departments).Error
		if err != nil {
			return f, fmt.Errorf("read the applicant's departments: %w", err)
		}
	}
	if c.Networks != "" && address != "" {
		f.Network = rules.Outside
		if c.AllowsNetwork(address) {
			f.Network = rules.Inside
		}
	}
	for _, h := range r.Hints.Each() {
		f.Signs = append(f.Signs, h.Name())
	}
	if f.Refusals, err = refusals(tx, r, s.now()); err != nil {
		return f, err
	}
	book, err := s.words.Dictionaries(tx, home)
	if err != nil {
		return f, err
	}
	lists := [][]int64{nil}
	if asks(set, rules.OnList) {
		one, err := asSomeone(tx, r)
		if err != nil {
			return f, err
		}
		if lists, err = rules.ListsOf(tx, []rules.Someone{one}); err != nil {
			return f, err
		}
	}
	return withSaid(f, r, answers, lists[0], book, home), nil
}

// withSaid adds to the kept facts what follows from the request and the lists.
func withSaid(f rules.Facts, r Request, answers []Answer, lists []int64, book rules.Wordbook, home int64) rules.Facts {
	f.Lists, f.Texts = lists, textsOf(r, answers)
	for _, a := range answers {
		f.Answers = append(f.Answers, rules.Answer{Field: a.FieldKey, Label: a.Label, Kind: a.Kind, Value: a.Value})
	}
	f.Hits = book.Hits(home, f.Texts...)
	return f
}

// textsOf is what an applicant wrote in words of their own.
func textsOf(r Request, answers []Answer) []rules.Text {
	texts := []rules.Text{{Field: "name", Value: r.Name}, {Field: "note", Value: r.Note}, {Field: "company", Value: r.Company}}
	for _, a := range answers {
		if a.Kind == KindText || a.Kind == KindQuestion || a.Kind == KindEmail {
			texts = append(texts, rules.Text{Field: a.FieldKey, Value: a.Value})
		}
	}
	return texts
}

// refusedFor is how far back refusals count.
const refusedFor = 180 * 24 * time.Hour

// refusals counts how often the person was turned down lately, anywhere.
func refusals(tx *gorm.DB, r Request, now time.Time) (n int, err error) {
	self, _ := r.person()
	err = tx.Raw("SELECT count(*) FROM (SELECT 1 AS one FROM join_requests WHERE "+self+" AND status = 'rejected' AND decided_at > ? LIMIT 20) x",
		r.whose(), now.UTC().Add(-refusedFor)).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count refusals: %w", err)
	}
	return n, nil
}

func asks(set []rules.Rule, kind rules.Kind) bool {
	for _, r := range set {
		for _, c := range r.Conditions {
			if c.Kind == kind {
				return true
			}
		}
	}
	return false
}

func asSomeone(tx *gorm.DB, r Request) (rules.Someone, error) {
	one := rules.Someone{Phone: r.Phone}
	if r.MemberID == nil {
		return one, nil
	}
	one.MemberID = *r.MemberID
	if err := tx.Raw("SELECT coalesce(job_number, '') FROM members WHERE id = ?", one.MemberID).Scan(&one.Job).Error; err != nil {
		return one, fmt.Errorf("read the applicant's job number: %w", err)
	}
	return one, nil
}

// RulingsOf reads what the rules said about some requests; those sent before
// there were rules have none.
func RulingsOf(tx *gorm.DB, ids ...int64) (map[int64]*Ruling, error) {
	all := map[int64]*Ruling{}
	var rows []Ruling
	if len(ids) == 0 {
		return all, nil
	}
	if err := tx.Where("request_id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read the rulings: %w", err)
	}
	for i := range rows {
		all[rows[i].RequestID] = &rows[i]
	}
	return all, nil
}

// addRulings lays beside some rows what the rules said, and where the words of
// the lists stand in them: a fixed number of statements.
func (s *Service) addRulings(tx *gorm.DB, rows []Row) error {
	ids, groups := make([]int64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		ids[i], groups[i] = r.ID, r.GroupID
	}
	said, err := RulingsOf(tx, ids...)
	if err != nil {
		return err
	}
	homes, err := rules.Homes(tx, groups...)
	if err != nil {
		return err
	}
	book, err := s.words.Dictionaries(tx, slices.Collect(maps.Values(homes))...)
	if err != nil {
		return err
	}
	for i, r := range rows {
		rows[i].Ruling, rows[i].Hits = said[r.ID], book.Hits(homes[r.GroupID], textsOf(r.Request, r.Answers)...)
	}
	return nil
}

// WordsIn names the words of the lists that stand in a text about some requests,
// each once: those of the organisation and of the groups that by decides for.
func (s *Service) WordsIn(ctx context.Context, by access.Actor, text string, ids ...int64) (words []string, err error) {
	tx := s.db.WithContext(ctx)
	where, args := mine(by)
	var groups []int64
	err = tx.Raw("SELECT DISTINCT r.group_id FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id WHERE r.id IN ? AND "+where+" LIMIT 100",
		append([]any{ids[:min(len(ids), MaxBatch)]}, args...)...).Scan(&groups).Error
	if err != nil {
		return nil, fmt.Errorf("find the groups: %w", err)
	}
	homes, err := rules.Homes(tx, groups...)
	if err != nil {
		return nil, err
	}
	book, err := s.words.Dictionaries(tx, slices.Collect(maps.Values(homes))...)
	if err != nil {
		return nil, err
	}
	for _, g := range append(groups, 0) {
		for _, h := range book.Hits(homes[g], rules.Text{Field: "reason", Value: text}) {
			if !slices.Contains(words, h.Word) {
				words = append(words, h.Word)
			}
		}
	}
	return words, nil
}
