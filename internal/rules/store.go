package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/group"
)

// row is a rule as it is stored.
type row struct {
	ID         int64
	GroupID    *int64
	Position   int
	Name       string
	AnyOf      bool
	Conditions string
	Verdict    Verdict
	Reason     string
	Enabled    bool
	Version    int
	CreatedAt  time.Time
	UpdatedAt  time.Time
	UpdatedBy  *int64
}

// TableName is for gorm.
func (row) TableName() string { return "decision_rules" }

func (r row) rule() (Rule, error) {
	out := Rule{ID: r.ID, GroupID: r.GroupID, Position: r.Position, Name: r.Name, AnyOf: r.AnyOf, Verdict: r.Verdict, Reason: r.Reason,
		Enabled: r.Enabled, Version: r.Version, UpdatedAt: r.UpdatedAt, UpdatedBy: r.UpdatedBy}
	if err := json.Unmarshal([]byte(r.Conditions), &out.Conditions); err != nil {
		return out, fmt.Errorf("read rule %d: %w", r.ID, err)
	}
	return out, nil
}

func (r Rule) row() (row, error) {
	conditions, err := json.Marshal(r.Conditions)
	if err != nil {
		return row{}, fmt.Errorf("write a rule: %w", err)
	}
	return row{ID: r.ID, GroupID: r.GroupID, Position: r.Position, Name: r.Name, AnyOf: r.AnyOf, Conditions: string(conditions), Verdict: r.Verdict, Reason: r.Reason,
		Enabled: r.Enabled, Version: r.Version, UpdatedAt: r.UpdatedAt, UpdatedBy: r.UpdatedBy}, nil
}

func read(tx *gorm.DB) ([]Rule, error) {
	var rows []row
	if err := tx.Order("CASE WHEN group_id IS NULL THEN 0 ELSE 1 END, position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	out := make([]Rule, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.rule(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// InForce reads the rules that are on for some groups, in the order in which
// they are gone through: the organisation's first.
func InForce(tx *gorm.DB, groups ...int64) ([]Rule, error) {
	return read(tx.Where("enabled AND (group_id IS NULL OR group_id IN ?)", append([]int64{0}, groups...)))
}

// All is InForce with the rules that are off.
func All(tx *gorm.DB, groups ...int64) ([]Rule, error) {
	return read(tx.Where("group_id IS NULL OR group_id IN ?", append([]int64{0}, groups...)))
}

// With is a set with one rule as it is edited: in the place of the one it
// changes, or as the last of its scope.
func With(all []Rule, edited Rule) []Rule {
	out := slices.Clone(all)
	last := 0
	for i, r := range out {
		if edited.ID != 0 && r.ID == edited.ID {
			out[i] = edited
			return out
		}
		if !r.Own() || edited.Own() && *r.GroupID == *edited.GroupID {
			last = i + 1
		}
	}
	return slices.Insert(out, last, edited)
}

// For keeps those that hold for one group, which goes by its home.
func For(all []Rule, home int64) []Rule {
	return slices.DeleteFunc(slices.Clone(all), func(r Rule) bool { return r.GroupID != nil && *r.GroupID != home })
}

// Homes says by which group's id the rules, lists and words of some groups go:
// the groups of a series have those of its first.
func Homes(tx *gorm.DB, groups ...int64) (map[int64]int64, error) {
	homes := make(map[int64]int64, len(groups)+1)
	homes[0] = 0
	for _, g := range groups {
		homes[g] = g
	}
	var rows []struct{ ID, Home int64 }
	err := tx.Raw("SELECT g.id, f.id AS home FROM groups g JOIN groups f ON f.series_id = g.series_id AND f.series_no = 1 WHERE g.id IN ?", append([]int64{0}, groups...)).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for the groups of series: %w", err)
	}
	for _, r := range rows {
		homes[r.ID] = r.Home
	}
	return homes, nil
}

// Home is Homes for one group.
func Home(tx *gorm.DB, g group.Group) (int64, error) {
	if g.SeriesID == nil {
		return g.ID, nil
	}
	homes, err := Homes(tx, g.ID)
	return homes[g.ID], err
}

// MayApprove reports whether a rule that is on could let somebody into one of
// the groups: whoever asks then holds them as for taking a seat.
func MayApprove(tx *gorm.DB, groups []int64) (bool, error) {
	groups = append([]int64{0}, groups...)
	var found []int64
	err := tx.Table("decision_rules").Where(`enabled AND verdict = 'approve' AND (group_id IS NULL OR group_id IN ? OR group_id IN
		(SELECT f.id FROM groups f JOIN groups g ON g.series_id = f.series_id WHERE f.series_no = 1 AND g.id IN ?))`, groups, groups).Limit(1).Pluck("id", &found).Error
	if err != nil {
		return false, fmt.Errorf("look for rules that let in: %w", err)
	}
	return len(found) > 0, nil
}

// By is the actor that a rule decides as.
func By(r Rule) access.Actor { return access.Background(r.Name) }

// Someone is who is looked up on the lists.
type Someone struct {
	MemberID int64
	Phone    string
	Job      string
}

// ListsOf says on which lists some people are, in their order: one statement for all.
func ListsOf(tx *gorm.DB, people []Someone) ([][]int64, error) {
	members, phones, jobs := []int64{0}, []string{""}, []string{""}
	for _, p := range people {
		members, phones, jobs = append(members, p.MemberID), append(phones, p.Phone), append(jobs, jobKey(p.Job))
	}
	var rows []struct {
		ListID   int64
		Kind     string
		Key      string
		MemberID int64
	}
	err := tx.Raw(`SELECT list_id, kind, key, coalesce(member_id, 0) AS member_id FROM rule_list_entries
		WHERE member_id IN ? OR kind = 'phone' AND key IN ? OR kind = 'job' AND key IN ?`, members, phones, jobs).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look people up on the lists: %w", err)
	}
	out := make([][]int64, len(people))
	for i, p := range people {
		for _, r := range rows {
			self := r.MemberID != 0 && r.MemberID == p.MemberID || r.Kind == "phone" && r.Key == p.Phone || r.Kind == "job" && p.Job != "" && r.Key == jobKey(p.Job)
			if self && !slices.Contains(out[i], r.ListID) {
				out[i] = append(out[i], r.ListID)
			}
		}
	}
	return out, nil
}

func jobKey(job string) string { return strings.ToLower(strings.TrimSpace(job)) }

// keptWords bounds how many prepared word lists a Reader keeps.
const keptWords = 64

// Reader keeps prepared word lists until they change. It is safe for concurrent use.
type Reader struct {
	mu   sync.Mutex
	kept map[int64]prepared
}

type prepared struct {
	version int
	words   Dictionary
}

// NewReader returns an empty one.
func NewReader() *Reader { return &Reader{kept: map[int64]prepared{}} }

// Dictionaries are the word lists of the organisation and of some groups: one
// statement, and one more for those that changed.
func (r *Reader) Dictionaries(tx *gorm.DB, groups ...int64) (Wordbook, error) {
	var heads []struct {
		Scope   int64
		Version int
	}
	if err := tx.Table("rule_words").Select("scope", "version").Where("scope IN ?", append([]int64{0}, groups...)).Find(&heads).Error; err != nil {
		return nil, fmt.Errorf("look for word lists: %w", err)
	}
	book := Wordbook{}
	var changed []int64
	r.mu.Lock()
	for _, h := range heads {
		if p, ok := r.kept[h.Scope]; ok && p.version == h.Version {
			book[h.Scope] = p.words
		} else {
			changed = append(changed, h.Scope)
		}
	}
	r.mu.Unlock()
	if len(changed) == 0 {
		return book, nil
	}
	return book, r.prepare(tx, book, changed)
}

func (r *Reader) prepare(tx *gorm.DB, book Wordbook, scopes []int64) error {
	var rows []wordRow
	if err := tx.Where("scope IN ?", scopes).Find(&rows).Error; err != nil {
		return fmt.Errorf("read word lists: %w", err)
	}
	for _, w := range rows {
		book[w.Scope] = NewDictionary(strings.Split(w.Words, "\n"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range rows {
		if len(r.kept) >= keptWords {
			clear(r.kept)
		}
		r.kept[w.Scope] = prepared{w.Version, book[w.Scope]}
	}
	return nil
}

type wordRow struct {
	Scope     int64 `gorm:"primaryKey;autoIncrement:false"`
	Words     string
	Version   int
	UpdatedAt time.Time
	UpdatedBy *int64
}

// TableName is for gorm.
func (wordRow) TableName() string { return "rule_words" }

// Wordbook has the word lists by group; 0 is the organisation's.
type Wordbook map[int64]Dictionary

// Hits finds the words of the organisation and of one group in some texts.
func (b Wordbook) Hits(group int64, texts ...Text) []Hit {
	hits := b[0].FindAll(texts)
	if group != 0 {
		hits = append(hits, b[group].FindAll(texts)...)
	}
	return hits
}
