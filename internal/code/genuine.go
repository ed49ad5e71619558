package code

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// What a print that we issued is worth.
const (
	GenuineWorks     = "works"
	GenuinePaused    = "paused"
	GenuineWithdrawn = "withdrawn"
)

// Genuine is what may be said to anybody about a print that we issued.
type Genuine struct {
	Facts
	Copy  *Copy // nil: the print carries no number
	Photo *group.Picture
	At    time.Time
}

// Issued is when the print was made: the copy, else the code.
func (g Genuine) Issued() time.Time {
	if g.Copy != nil {
		return g.Copy.CreatedAt
	}
	return g.IssuedAt
}

// Worth is one of the Genuine constants.
func (g Genuine) Worth() string {
	state := g.Facts.State(g.At)
	switch {
	case g.Copy != nil && g.Copy.RevokedAt != nil:
		return GenuineWithdrawn
	case state == Suspended || state == Off:
		return GenuinePaused
	case state.Dead():
		return GenuineWithdrawn
	}
	return GenuineWorks
}

// TakenDown reports whether somebody noted that this print hangs no more.
func (g Genuine) TakenDown() bool { return g.Copy != nil && g.Copy.RemovedAt != nil }

// GenuineTyped says whether the print that carries a typed code is ours. Errors
// are those of TokenOfTyped. req: C34
func (s *Service) GenuineTyped(ctx context.Context, text string) (Genuine, error) {
	typed, ok := ParseTyped(text)
	if !ok {
		return Genuine{}, fault.Invalid{"typed": fault.Msg("join.typed.wrong")}
	}
	tx := s.db.WithContext(ctx)
	public, serial, err := byTyped(tx, typed)
	if err != nil {
		return Genuine{}, err
	}
	f, err := LoadFacts(tx, public)
	if err != nil {
		return Genuine{}, err
	}
	return s.genuine(tx, f, serial)
}

// scanMemory is how long the reference of a scan leads to what was scanned.
const scanMemory = 24 * time.Hour

// GenuineScan is GenuineTyped for the print that somebody just scanned, by the
// reference of the scan; an unknown or older one is fault.NotFound.
func (s *Service) GenuineScan(ctx context.Context, ref string) (Genuine, error) {
	tx := s.db.WithContext(ctx)
	var scans []struct {
		CodeID     int64
		CopySerial int
	}
	err := tx.Raw("SELECT code_id, copy_serial FROM scans WHERE ref = ? AND code_id IS NOT NULL AND at > ? AND outcome <> 'bot'", ref, s.now().UTC().Add(-scanMemory)).Scan(&scans).Error
	if err != nil {
		return Genuine{}, fmt.Errorf("find the scan: %w", err)
	}
	if len(scans) == 0 {
		return Genuine{}, fault.NotFound
	}
	f, err := LoadFactsByID(tx, scans[0].CodeID)
	if err != nil {
		return Genuine{}, err
	}
	return s.genuine(tx, f, scans[0].CopySerial)
}

func (s *Service) genuine(tx *gorm.DB, f Facts, serial int) (Genuine, error) {
	g := Genuine{Facts: f, At: s.now()}
	if serial == 0 {
		return g, nil
	}
	var copies []Copy
	if err := tx.Where("code_id = ? AND serial = ?", f.ID, serial).Find(&copies).Error; err != nil {
		return g, fmt.Errorf("read the copy: %w", err)
	}
	if len(copies) == 0 {
		return g, nil
	}
	g.Copy = &copies[0]
	if g.Copy.PhotoFileID == nil {
		return g, nil
	}
	photo, err := group.LoadPicture(tx, g.Copy.PhotoFileID)
	g.Photo = &photo
	return g, err
}
