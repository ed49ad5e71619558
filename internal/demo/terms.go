package demo

import (
	"fmt"
	"strings"
	"time"

	"doorplate/internal/code"
)

// doorPassword is the hash of "doorplate": fixed, so that the demo is the same each time.
const doorPassword = "$argon2id$v=19$m=19456,t=2,p=1$Bl8pxvXfe9SKMjOpEwQlOQ$/eTzWabBsBKgXyMJs41k0SsFr3DyJlJ2vMb1YvqmVKk"

// waitingCount is how many people wait for the full group.
const waitingCount = 3

// shapeTerms gives some codes more than a validity.
func (b *builder) shapeTerms(c *code.Code, state string) {
	switch state {
	case "closed":
		c.Hours, c.Fallback = b.inThreeDays(), code.Waiting
	case "password":
		c.PasswordHash, c.Benefit = doorPassword, "第一时间收到发布通知"
	case "full": // the group was started by a member: a permanent code there stands still
		until := b.now.AddDate(0, 0, 30)
		c.Fallback, c.Validity, c.ValidUntil = code.Waiting, "until", &until
	}
}

// inThreeDays is open from 9 to 18 on one day of the week only, three days from
// now: closed for whoever looks today or tomorrow.
func (b *builder) inThreeDays() code.Hours {
	day := (int(b.now.In(b.loc).Weekday()) + 6 + 3) % 7
	at := day*96 + 9*4
	return code.Hours(strings.Repeat("0", at) + strings.Repeat("1", 9*4) + strings.Repeat("0", code.Quarters-at-9*4))
}

// addWaiting puts some people on the waiting list of the full group.
func (b *builder) addWaiting() error {
	for _, c := range b.codes {
		if b.kinds[c.ID] != "full" {
			continue
		}
		n := 0
		for _, m := range b.members[6:] {
			if n == waitingCount {
				break
			}
			if b.inGroup[c.GroupID][m.ID] {
				continue
			}
			n++
			err := b.tx.Exec("INSERT INTO waiting_list (group_id, code_id, member_id, name, phone, created_at) VALUES (?, ?, ?, ?, ?, ?)",
				c.GroupID, c.ID, m.ID, m.Name, m.Phone, b.now.Add(-time.Duration(50-10*n)*time.Hour)).Error
			if err != nil {
				return fmt.Errorf("waiting list: %w", err)
			}
		}
	}
	return nil
}
