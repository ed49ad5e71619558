package web

import (
	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
)

func (s *server) listContacts(c echo.Context) error           { return fault.NotFound }
func (s *server) createDepartment(c echo.Context) error       { return fault.NotFound }
func (s *server) showDepartment(c echo.Context) error         { return fault.NotFound }
func (s *server) renameDepartment(c echo.Context) error       { return fault.NotFound }
func (s *server) moveDepartment(c echo.Context) error         { return fault.NotFound }
func (s *server) deleteDepartment(c echo.Context) error       { return fault.NotFound }
func (s *server) changeHeads(c echo.Context) error            { return fault.NotFound }
func (s *server) createMember(c echo.Context) error           { return fault.NotFound }
func (s *server) newMember(c echo.Context) error              { return fault.NotFound }
func (s *server) showMember(c echo.Context) error             { return fault.NotFound }
func (s *server) updateMember(c echo.Context) error           { return fault.NotFound }
func (s *server) editMember(c echo.Context) error             { return fault.NotFound }
func (s *server) confirmDepart(c echo.Context) error          { return fault.NotFound }
func (s *server) departMember(c echo.Context) error           { return fault.NotFound }
func (s *server) showImport(c echo.Context) error             { return fault.NotFound }
func (s *server) startImport(c echo.Context) error            { return fault.NotFound }
func (s *server) downloadImportTemplate(c echo.Context) error { return fault.NotFound }
func (s *server) showImportRun(c echo.Context) error          { return fault.NotFound }
func (s *server) applyImport(c echo.Context) error            { return fault.NotFound }
func (s *server) cancelImport(c echo.Context) error           { return fault.NotFound }
func (s *server) downloadRefused(c echo.Context) error        { return fault.NotFound }
