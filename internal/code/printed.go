package code

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// MarkPrinted notes inside the caller's transaction that copies of a code were
// handed out on paper, and what stood on it. Serials that the code has not, such
// as 0, are left out.
func (s *Service) MarkPrinted(tx *gorm.DB, codeID int64, serials []int) error {
	if len(serials) == 0 {
		return nil
	}
	f, err := LoadFactsByID(tx, codeID)
	if err != nil {
		return err
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return err
	}
	trail, err := Trail(tx, f.DepartmentPath)
	if err != nil {
		return err
	}
	said := map[string]string{"organisation": org.Name, "group": f.GroupName, "department": strings.Join(trail, " / "), "until": ""}
	if f.ValidUntil != nil {
		said["until"] = f.ValidUntil.UTC().Format(time.RFC3339)
	}
	words, err := json.Marshal(said)
	if err != nil {
		return fmt.Errorf("what was printed: %w", err)
	}
	err = tx.Exec("UPDATE code_copies SET printed_at = ?, printed_as = ? WHERE code_id = ? AND serial IN ?", s.now().UTC(), string(words), codeID, serials).Error
	if err != nil {
		return fmt.Errorf("mark copies printed: %w", err)
	}
	return nil
}
