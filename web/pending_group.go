package web

import (
	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
)

func (s *server) listGroups(c echo.Context) error        { return fault.NotFound }
func (s *server) newGroup(c echo.Context) error          { return fault.NotFound }
func (s *server) createGroup(c echo.Context) error       { return fault.NotFound }
func (s *server) showGroup(c echo.Context) error         { return fault.NotFound }
func (s *server) saveGroup(c echo.Context) error         { return fault.NotFound }
func (s *server) showGroupSettings(c echo.Context) error { return fault.NotFound }
func (s *server) confirmDisband(c echo.Context) error    { return fault.NotFound }
func (s *server) disbandGroup(c echo.Context) error      { return fault.NotFound }
func (s *server) handOverGroup(c echo.Context) error     { return fault.NotFound }
func (s *server) changeDuties(c echo.Context) error      { return fault.NotFound }
func (s *server) addGroupMember(c echo.Context) error    { return fault.NotFound }
func (s *server) removeGroupMember(c echo.Context) error { return fault.NotFound }
func (s *server) showEntryImage(c echo.Context) error    { return fault.NotFound }
func (s *server) listApprovals(c echo.Context) error     { return fault.NotFound }
func (s *server) showApproval(c echo.Context) error      { return fault.NotFound }
func (s *server) decideApproval(c echo.Context) error    { return fault.NotFound }
func (s *server) withdrawApproval(c echo.Context) error  { return fault.NotFound }
func (s *server) showOrganisation(c echo.Context) error  { return fault.NotFound }
func (s *server) saveOrganisation(c echo.Context) error  { return fault.NotFound }
func (s *server) showPolicies(c echo.Context) error      { return fault.NotFound }
func (s *server) savePolicies(c echo.Context) error      { return fault.NotFound }
func (s *server) savePreset(c echo.Context) error        { return fault.NotFound }
func (s *server) showRoles(c echo.Context) error         { return fault.NotFound }
