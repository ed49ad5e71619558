package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Order is the form of a batch of new groups: names by a pattern or a list, or a
// file; what a row of the file leaves open, and every row of a list, is as the fields say.
type Order struct {
	Names, Pattern, From, Count                            string
	Type, DepartmentID, Capacity, Purpose, JoinMode, Owner string
	Code                                                   string // validity of one code for each; "" = none
	File                                                   []byte
}

// asked is one row as it was typed. Department is a path in words, or, from the form, a number in Home.
type asked struct {
	Line                                                                   int
	Name, Type, Department, Home, Capacity, Purpose, JoinMode, Owner, Link string
}

// params is what a whole batch shares.
type params struct{ Code string }

// Start reads an order and keeps it as a draft for its author to look at. More
// than Most rows are refused as a whole, before anything is written. req: D28, D44
func (s *Service) Start(ctx context.Context, by access.Actor, o Order) (int64, error) {
	if err := group.MayCreateMany(by); err != nil {
		return 0, err
	}
	rows, err := o.rows()
	if err != nil {
		return 0, err
	}
	if o.Code != "" && !slices.Contains(code.BatchValidities, o.Code) {
		return 0, fault.Invalid{"code": fault.Msg("codes.error.validity")}
	}
	shared, err := json.Marshal(params{Code: o.Code})
	if err != nil {
		return 0, fmt.Errorf("keep the order: %w", err)
	}
	now := s.now().UTC()
	b := Batch{Kind: KindCreate, State: Draft, Params: string(shared), CreatedBy: by.MemberID, CreatedAt: now}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := dropDrafts(tx, by, now.AddDate(0, 0, -1)); err != nil {
			return err
		}
		if err := tx.Create(&b).Error; err != nil {
			return fmt.Errorf("keep the order: %w", err)
		}
		kept := make([]Row, len(rows))
		for i, r := range rows {
			content, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("keep the order: %w", err)
			}
			kept[i] = Row{BatchID: b.ID, RowNumber: i + 1, Name: clip(r.Name, 200), Content: string(content)}
		}
		return storeRows(tx, kept)
	})
	return b.ID, err
}

// dropDrafts forgets what somebody looked at and left.
func dropDrafts(tx *gorm.DB, by access.Actor, before any) error {
	const old = "SELECT id FROM group_batches WHERE created_by = ? AND state = 'draft' AND created_at < ?"
	if err := tx.Exec("DELETE FROM group_batch_rows WHERE batch_id IN ("+old+")", by.MemberID, before).Error; err != nil {
		return fmt.Errorf("forget old drafts: %w", err)
	}
	if err := tx.Exec("DELETE FROM group_batches WHERE created_by = ? AND state = 'draft' AND created_at < ?", by.MemberID, before).Error; err != nil {
		return fmt.Errorf("forget old drafts: %w", err)
	}
	return nil
}

// rows are those of the file, else one for each name.
func (o Order) rows() ([]asked, error) {
	if len(o.File) > 0 {
		return o.fromFile()
	}
	names, field, err := o.names()
	if err != nil {
		return nil, err
	}
	switch {
	case len(names) == 0:
		return nil, fault.Invalid{"names": fault.Msg("operations.batch.error.none")}
	case len(names) > Most:
		return nil, fault.Invalid{field: fault.Msg("operations.batch.error.many", "Max", Most, "Have", len(names))}
	}
	rows := make([]asked, len(names))
	for i, name := range names {
		rows[i] = o.fill(asked{Line: i + 1, Name: name})
	}
	return rows, nil
}

func (o Order) names() (names []string, field string, err error) {
	for line := range strings.Lines(o.Names) {
		if line = group.OneLine(line); line != "" {
			names = append(names, line)
		}
	}
	pattern := group.OneLine(o.Pattern)
	if len(names) > 0 || pattern == "" {
		return names, "names", nil
	}
	if !strings.Contains(pattern, "{n}") {
		return nil, "", fault.Invalid{"pattern": fault.Msg("operations.batch.error.pattern")}
	}
	from, errFrom := strconv.Atoi(strings.TrimSpace(o.From))
	if strings.TrimSpace(o.From) == "" {
		from, errFrom = 1, nil
	}
	count, errCount := strconv.Atoi(strings.TrimSpace(o.Count))
	switch {
	case errFrom != nil || from < 0 || from > 100_000:
		return nil, "", fault.Invalid{"from": fault.Msg("operations.batch.error.from")}
	case errCount != nil || count < 1:
		return nil, "", fault.Invalid{"count": fault.Msg("operations.batch.error.count", "Max", Most)}
	case count > Most:
		return nil, "", fault.Invalid{"count": fault.Msg("operations.batch.error.many", "Max", Most, "Have", count)}
	}
	for n := range count {
		names = append(names, strings.ReplaceAll(pattern, "{n}", strconv.Itoa(from+n)))
	}
	return names, "count", nil
}

// fill lays the form under a row.
func (o Order) fill(r asked) asked {
	if r.Department == "" {
		r.Home = o.DepartmentID
	}
	for _, f := range []struct {
		field *string
		form  string
	}{{&r.Type, o.Type}, {&r.Capacity, o.Capacity}, {&r.Purpose, o.Purpose}, {&r.JoinMode, o.JoinMode}, {&r.Owner, o.Owner}} {
		if *f.field == "" {
			*f.field = f.form
		}
	}
	return r
}

// Line is one row of a draft as it would be made now, with what is wrong.
type Line struct {
	Row     int // of the file, or of the list
	Seed    group.Seed
	Owner   string
	Lineage string
	Wrong   []Fault
}

// Fault is what is wrong with one field of a row.
type Fault struct {
	Field string
	fault.Message
}

// Preview is a draft looked at against the world as it is now.
type Preview struct {
	Batch
	Lines []Line
	Code  string
	Bad   int // rows with something wrong
}

// Preview checks a draft of the reader's own. A batch that is done already is fault.Conflict.
func (s *Service) Preview(ctx context.Context, by access.Actor, id int64) (Preview, error) {
	return s.preview(s.db.WithContext(ctx), by, id)
}

func (s *Service) preview(tx *gorm.DB, by access.Actor, id int64) (Preview, error) {
	r, err := load(tx, by, id)
	p := Preview{Batch: r.Batch}
	if err != nil {
		return p, err
	}
	if r.Kind != KindCreate {
		return p, fault.NotFound
	}
	var shared params
	if err := json.Unmarshal([]byte(r.Params), &shared); err != nil {
		return p, fmt.Errorf("read the order of batch %d: %w", id, err)
	}
	p.Code = shared.Code
	rows := make([]asked, len(r.Rows))
	for i, row := range r.Rows {
		if err := json.Unmarshal([]byte(row.Content), &rows[i]); err != nil {
			return p, fmt.Errorf("read row %d of batch %d: %w", row.RowNumber, id, err)
		}
	}
	p.Lines, err = s.check(tx, by, rows, shared.Code)
	for _, l := range p.Lines {
		if len(l.Wrong) > 0 {
			p.Bad++
		}
	}
	return p, err
}

// check reads what the rows name with one statement each, and asks every rule of every row.
func (s *Service) check(tx *gorm.DB, by access.Actor, rows []asked, validity string) ([]Line, error) {
	homes, lineages, err := s.homes(tx, by, rows)
	if err != nil {
		return nil, err
	}
	owners, err := owners(tx, rows)
	if err != nil {
		return nil, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return nil, err
	}
	drafts := make([]group.Draft, len(rows))
	for i, r := range rows {
		drafts[i] = group.Draft{Name: r.Name, Type: word(typeWords, r.Type), DepartmentID: r.home(), Capacity: r.Capacity, Purpose: r.Purpose,
			JoinMode: word(modeWords, r.JoinMode), EntryURL: r.Link}
		if r.Link != "" {
			drafts[i].EntryKind = group.EntryLink
		}
	}
	seeds, wrong, err := s.groups.CheckMany(tx, by, drafts, homes)
	if err != nil {
		return nil, err
	}
	lines, seen := make([]Line, len(rows)), map[string]int{}
	for i, r := range rows {
		l := Line{Row: r.Line, Seed: seeds[i], Lineage: lineages[seeds[i].Department.Path]}
		if m, known := owners[r.Owner]; known {
			l.Owner, l.Seed.OwnerID = m.Name, &m.ID
		} else if r.Owner != "" {
			wrong[i]["owner"] = fault.Msg("operations.batch.error.owner", "Owner", clip(r.Owner, 40))
		}
		key := fmt.Sprint(l.Seed.Department.ID, " ", strings.ToLower(l.Seed.Name))
		if first, twice := seen[key]; twice && l.Seed.Name != "" {
			wrong[i]["name"] = fault.Msg("operations.batch.error.twice", "Row", first)
		} else {
			seen[key] = r.Line
		}
		if validity != "" && len(wrong[i]) == 0 {
			if m := code.MayIssueFor(by, planned(l.Seed), policies, validity); m != nil {
				wrong[i]["code"] = *m
			}
		}
		l.Wrong = faults(wrong[i])
		lines[i] = l
	}
	return lines, nil
}

// planned is the group a seed becomes, as far as the rights to its codes go.
func planned(s group.Seed) group.Group {
	return group.Group{Type: s.Type, Origin: group.ByAdmin, JoinMode: s.JoinMode, DepartmentID: s.Department.ID, DepartmentPath: s.Department.Path}
}

func faults(bad fault.Invalid) (all []Fault) {
	for _, field := range []string{"name", "type", "department_id", "capacity", "purpose", "join_mode", "owner", "entry_url", "entry_kind", "code"} {
		if m, wrong := bad[field]; wrong {
			all = append(all, Fault{field, m})
		}
	}
	return all
}

// home is the key under which homes keeps the row's department.
func (r asked) home() string {
	if r.Department != "" {
		return "path " + pathWords(r.Department)
	}
	return strings.TrimSpace(r.Home)
}

// pathWords folds the spellings of a path: "研发中心/平台组", "研发中心 / 平台组".
func pathWords(path string) string {
	var parts []string
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '／' || r == '>' }) {
		if part = group.OneLine(part); part != "" {
			parts = append(parts, strings.ToLower(part))
		}
	}
	return strings.Join(parts, "/")
}

// homes finds the departments that rows name, by id or by their path in words,
// from the organisation down or from below it.
func (s *Service) homes(tx *gorm.DB, by access.Actor, rows []asked) (map[string]directory.Department, map[string]string, error) {
	ids, names := []int64{0}, []string{""}
	for _, r := range rows {
		if id, err := strconv.ParseInt(strings.TrimSpace(r.Home), 10, 64); err == nil {
			ids = append(ids, id)
		}
		words := strings.Split(pathWords(r.Department), "/")
		names = append(names, words[len(words)-1])
	}
	slices.Sort(ids)
	slices.Sort(names)
	where, args := access.Scope(by, access.GroupCreate, "path")
	var found []directory.Department
	err := tx.Where("(id IN ? OR lower(name) IN ?)", slices.Compact(ids), slices.Compact(names)).Where(where, args...).Limit(5000).Find(&found).Error
	if err != nil {
		return nil, nil, fmt.Errorf("look for departments: %w", err)
	}
	paths := make([]string, len(found))
	for i, d := range found {
		paths[i] = d.Path
	}
	lineages, err := group.Lineages(tx, paths)
	if err != nil {
		return nil, nil, err
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, nil, err
	}
	homes := map[string]directory.Department{}
	for _, d := range found {
		homes[strconv.FormatInt(d.ID, 10)] = d
		homes["path "+pathWords(lineages[d.Path])] = d
		homes["path "+pathWords(org.Name+"/"+lineages[d.Path])] = d
	}
	return homes, lineages, nil
}

// owners finds the active members that rows name by phone or job number.
func owners(tx *gorm.DB, rows []asked) (map[string]directory.Member, error) {
	phones, jobs := map[string]string{}, []string{""}
	numbers := []string{""}
	for _, r := range rows {
		if e164, ok := directory.ParsePhone(r.Owner); ok {
			phones[r.Owner] = e164
			numbers = append(numbers, e164)
		}
		jobs = append(jobs, r.Owner)
	}
	slices.Sort(numbers)
	slices.Sort(jobs)
	var found []directory.Member
	err := tx.Where("status = ? AND (phone IN ? OR job_number IN ?)", directory.Active, slices.Compact(numbers), slices.Compact(jobs)).Limit(4 * Most).Find(&found).Error
	if err != nil {
		return nil, fmt.Errorf("look for owners: %w", err)
	}
	out := map[string]directory.Member{}
	for _, r := range rows {
		for _, m := range found {
			if r.Owner != "" && (m.Phone == phones[r.Owner] || m.JobNumber != nil && *m.JobNumber == r.Owner) {
				out[r.Owner] = m
			}
		}
	}
	return out, nil
}

func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
