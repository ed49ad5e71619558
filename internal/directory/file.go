package directory

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/fault"
)

// importFile is an uploaded file. The check, the run after it and a check with
// other columns share one.
type importFile struct {
	ImportID int64 `gorm:"primaryKey"`
	Content  []byte
}

func (importFile) TableName() string { return "import_files" }

// storeFile keeps the file an import came with.
func storeFile(tx *gorm.DB, row *Import, content []byte) error {
	if err := tx.Create(&importFile{row.ID, content}).Error; err != nil {
		return fmt.Errorf("store the file: %w", err)
	}
	row.FileID = row.ID
	if err := tx.Exec("UPDATE imports SET file_id = id WHERE id = ?", row.ID).Error; err != nil {
		return fmt.Errorf("store the file: %w", err)
	}
	return nil
}

// readFile is the file of an import; fault.Conflict once it is gone.
func readFile(tx *gorm.DB, id int64) ([]byte, error) {
	var file importFile
	err := tx.Where("import_id = ?", id).Take(&file).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.Conflict{Message: fault.Msg("mapping.error.over")}
	} else if err != nil {
		return nil, fmt.Errorf("read the stored file: %w", err)
	}
	return file.Content, nil
}

// fileKept refuses what needs a file that is gone.
func fileKept(tx *gorm.DB, id int64) error {
	var there bool
	if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM import_files WHERE import_id = ?)", id).Scan(&there).Error; err != nil {
		return fmt.Errorf("look for the stored file: %w", err)
	}
	if !there {
		return fault.Conflict{Message: fault.Msg("mapping.error.over")}
	}
	return nil
}

// dropFile forgets a file that has done its work, unless another run needs it.
func dropFile(tx *gorm.DB, id int64) error {
	err := tx.Exec("DELETE FROM import_files WHERE import_id = ? AND NOT EXISTS (SELECT 1 FROM imports WHERE file_id = ? AND state = 'running')", id, id).Error
	if err != nil {
		return fmt.Errorf("drop the file: %w", err)
	}
	return nil
}
