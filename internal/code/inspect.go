package code

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
)

// Inspection is what a scanned text says and whether it is ours. req: C03
type Inspection struct {
	Asked   bool   // something was pasted
	Host    string // where its address leads, "" when it is no address
	Here    bool   // its address is this server's
	Token   string // "" when there is none in it
	Version string
	ID      string // the code's, as the token says
	Serial  int
	Signed  bool   // the signature is ours
	Typed   string // the typed code it is, if it is one
	Slip    bool   // a typed code whose check character does not fit
	Ours    bool   // a code of ours stands behind it
	View    *Facts // nil outside the reader's scope
	Copy    *CopyLine
	Now     State
}

const maxInspect = 2000

// Inspect takes any scanned or typed text apart. Whose code it is learns only
// who may see that code; anybody else learns no more than that it is ours.
func (s *Service) Inspect(ctx context.Context, by access.Actor, text string) (Inspection, error) {
	text = strings.TrimSpace(text)
	i := Inspection{Asked: text != ""}
	if !i.Asked || len(text) > maxInspect {
		return i, nil
	}
	tx := s.db.WithContext(ctx)
	if typed, ok := ParseTyped(text); typed != "" {
		i.Typed, i.Slip = typed, !ok
		if !ok {
			return i, nil
		}
		public, serial, err := byTyped(tx, typed)
		if errors.Is(err, fault.NotFound) {
			return i, nil
		} else if err != nil {
			return i, err
		}
		i.ID, i.Serial = public, serial
		return i, s.meet(tx, by, &i)
	}
	i.takeApart(s.baseURL, text)
	if i.Token == "" {
		return i, nil
	}
	_, _, err := ParseToken(s.keys, i.Token)
	if i.Signed = err == nil; !i.Signed {
		return i, nil
	}
	return i, s.meet(tx, by, &i)
}

// takeApart finds the token in an address, or takes the text for one.
func (i *Inspection) takeApart(baseURL, text string) {
	token := text
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		base, err := url.Parse(baseURL)
		i.Host, i.Here = u.Host, err == nil && strings.EqualFold(u.Host, base.Host) && u.Scheme == base.Scheme
		_, token, _ = strings.Cut(u.Path, strings.TrimSuffix(paths.Scan, ":token"))
	}
	foreign := func(r rune) bool { return !strings.ContainsRune(alphabet, r) }
	if len(token) != TokenLength || strings.ContainsFunc(token, foreign) {
		return
	}
	i.Token, i.Version, i.ID = token, token[:1], token[1:1+idLength]
	i.Serial = decodeSerial(token[1+idLength : 1+idLength+serialLength])
}

// meet looks the code up, as far as by may know of it.
func (s *Service) meet(tx *gorm.DB, by access.Actor, i *Inspection) error {
	f, err := LoadFacts(tx, i.ID)
	if errors.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	i.Ours = true
	if !access.Can(by, access.CodeDownload, f.Object(false)) {
		if i.Typed != "" {
			i.ID, i.Serial = "", 0 // the text itself does not say it
		}
		return nil
	}
	i.View, i.Now = &f, f.State(s.now())
	if i.Serial == 0 {
		return nil
	}
	l, err := s.copyLine(tx, f.ID, i.Serial)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	i.Copy = &l
	return err
}
