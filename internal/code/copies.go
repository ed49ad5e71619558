package code

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// CopyFilters are the views of a code's copies, the widest first.
var CopyFilters = []string{"", "hanging", "stale", "revoked"}

var copyFilterSQL = map[string]string{"hanging": "removed_at IS NULL", "stale": "why <> ''", "revoked": "revoked_at IS NOT NULL"}

// CopyList is one page of copies. Next is the cursor of the page after it.
type CopyList struct {
	Lines []CopyLine
	Next  string
}

// Copies is the page of a code's channels and printed copies.
type Copies struct {
	View
	Channels []ChannelLine
	List     CopyList
	Filter   string
	Again    int // copies of the codes this one replaced that have not been made again
}

// Copies reads the page for somebody who may see the code. req: C45, B25
func (s *Service) Copies(ctx context.Context, by access.Actor, publicID, filter, after string) (Copies, error) {
	view, err := s.View(ctx, by, publicID)
	if err != nil {
		return Copies{}, err
	}
	tx := s.db.WithContext(ctx)
	p := Copies{View: view, Filter: filter}
	if !slices.Contains(CopyFilters, filter) {
		p.Filter = ""
	}
	if p.Channels, err = s.channels(tx, view.ID); err != nil {
		return p, err
	}
	if p.List, err = s.copies(tx, view.ID, p.Filter, after); err != nil {
		return p, err
	}
	if view.Can.Revoke && !view.Over() {
		p.Again, err = countAgain(tx, view.ID)
	}
	return p, err
}

func (s *Service) copies(tx *gorm.DB, codeID int64, filter, after string) (CopyList, error) {
	where, args := "1 = 1", []any{}
	if sql := copyFilterSQL[filter]; sql != "" {
		where += " AND " + sql
	}
	if serial, err := strconv.Atoi(after); err == nil && serial > 0 && serial <= MaxSerial {
		where, args = where+" AND serial > ?", append(args, serial)
	}
	lines, err := s.copyLines(tx, "k.code_id = ?", []any{codeID}, where+" ORDER BY serial LIMIT ?", append(args, PageSize+1))
	l := CopyList{Lines: lines}
	if err == nil && len(lines) > PageSize {
		l.Lines = lines[:PageSize]
		l.Next = strconv.Itoa(lines[PageSize-1].Serial)
	}
	return l, err
}

// copyLines reads the copies inside a scope; what comes after knows why.
func (s *Service) copyLines(tx *gorm.DB, scope string, scopeArgs []any, rest string, restArgs []any) ([]CopyLine, error) {
	args := append(append([]any{s.now().UTC()}, scopeArgs...), restArgs...)
	var lines []CopyLine
	err := tx.Raw("SELECT * FROM (SELECT "+copyColumns+whySQL(tx)+copyFrom+" WHERE "+scope+") y WHERE "+rest, args...).Scan(&lines).Error
	if err != nil {
		return nil, fmt.Errorf("read copies: %w", err)
	}
	return lines, nil
}

// CopyView is the page of one copy.
type CopyView struct {
	View
	Line     CopyLine
	Channels []ChannelLine
	CopyURL  string
	RevokedN string // who revoked it
	RemovedN string // who took it down
}

// CustodianTyped is what the form shows: what, typed again, finds the same person.
func (l CopyLine) CustodianTyped() string {
	if l.CustodianID != nil && l.JobNumber != "" {
		return l.JobNumber
	}
	return l.Custodian
}

// Copy reads one copy for somebody who may see the code.
func (s *Service) Copy(ctx context.Context, by access.Actor, publicID string, serial int) (CopyView, error) {
	view, err := s.View(ctx, by, publicID)
	if err != nil {
		return CopyView{}, err
	}
	tx := s.db.WithContext(ctx)
	v := CopyView{View: view}
	if v.Line, err = s.copyLine(tx, view.ID, serial); err != nil {
		return v, err
	}
	if v.Channels, err = s.channels(tx, view.ID); err != nil {
		return v, err
	}
	v.CopyURL = s.URL(view.PublicID, serial)
	if v.RevokedN, err = nameOrNone(tx, v.Line.RevokedBy); err != nil {
		return v, err
	}
	v.RemovedN, err = nameOrNone(tx, v.Line.RemovedBy)
	return v, err
}

func nameOrNone(tx *gorm.DB, memberID *int64) (string, error) {
	if memberID == nil {
		return "", nil
	}
	return nameOf(tx, *memberID)
}

func (s *Service) copyLine(tx *gorm.DB, codeID int64, serial int) (CopyLine, error) {
	return oneCopy(s.copyLines(tx, "k.code_id = ? AND k.serial = ?", []any{codeID, serial}, "1 = 1", nil))
}

// channelLink is the address of the code with a channel's marks, to publish online.
func channelLink(url string, c Channel) string {
	query := []string{}
	for _, pair := range [][2]string{{"utm_source", c.UTMSource}, {"utm_medium", c.UTMMedium}, {"utm_campaign", c.UTMCampaign}} {
		if pair[1] != "" {
			query = append(query, pair[0]+"="+escapeQuery(pair[1]))
		}
	}
	if len(query) == 0 {
		return url
	}
	return url + "?" + strings.Join(query, "&")
}
