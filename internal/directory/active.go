package directory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/fault"
)

// ActiveMember finds the active member that a form names by id or, when that is
// empty, by phone. Nobody is fault.Invalid on the field that was filled.
func ActiveMember(tx *gorm.DB, memberID, phone string) (Member, error) {
	field, where, value := "member_id", "id = ?", any(nil)
	if id, err := strconv.ParseInt(strings.TrimSpace(memberID), 10, 64); err == nil {
		value = id
	} else if strings.TrimSpace(memberID) == "" {
		field, where = "phone", "phone = ?"
		if e164, ok := ParsePhone(phone); ok {
			value = e164
		}
	}
	if value == nil {
		return Member{}, fault.Invalid{field: fault.Msg("settings.error.member")}
	}
	var m Member
	err := tx.Where(where+" AND status = ?", value, Active).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, fault.Invalid{field: fault.Msg("settings.error.member")}
	} else if err != nil {
		return m, fmt.Errorf("find member: %w", err)
	}
	return m, nil
}
