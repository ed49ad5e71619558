package join

import (
	"context"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// Outlook is what the page behind a scan of a code would show, as the world is
// now: to a member, or (nil) to somebody whom nothing identifies yet. Nobody is
// let in, asked or noted. An unknown code is fault.NotFound. req: A19
func (s *Service) Outlook(ctx context.Context, by access.Actor, publicID string, memberID *int64) (View, error) {
	if err := access.Check(by, access.PolicyTrace, access.Object{}); err != nil {
		return View{}, err
	}
	tx := s.db.WithContext(ctx)
	v := visit{session: Session{SecretHash: "outlook", ScanLive: true}, moment: s.now()}
	var err error
	if v.code, err = code.LoadFacts(tx, publicID); err != nil {
		return View{}, err
	}
	v.session.CodeID = v.code.ID
	if v.group, err = group.LoadByID(tx, v.code.GroupID); err != nil {
		return View{}, err
	}
	v.group = v.room(v.group)
	if v.org, err = directory.LoadOrganisation(tx); err != nil {
		return View{}, err
	}
	if err := v.identify(tx, memberID); err != nil {
		return View{}, err
	}
	if err := s.choose(tx, &v); err != nil {
		return View{}, err
	}
	return s.view(tx, v)
}
