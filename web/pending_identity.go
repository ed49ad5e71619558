package web

import (
	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
)

func (s *server) showSetup(c echo.Context) error         { return fault.NotFound }
func (s *server) submitSetup(c echo.Context) error       { return fault.NotFound }
func (s *server) submitSetupDemo(c echo.Context) error   { return fault.NotFound }
func (s *server) showLogin(c echo.Context) error         { return fault.NotFound }
func (s *server) submitLogin(c echo.Context) error       { return fault.NotFound }
func (s *server) showLoginVerify(c echo.Context) error   { return fault.NotFound }
func (s *server) submitLoginVerify(c echo.Context) error { return fault.NotFound }
func (s *server) showLoginLink(c echo.Context) error     { return fault.NotFound }
func (s *server) useLoginLink(c echo.Context) error      { return fault.NotFound }
func (s *server) logout(c echo.Context) error            { return fault.NotFound }
func (s *server) inviteMember(c echo.Context) error      { return fault.NotFound }
func (s *server) listDevices(c echo.Context) error       { return fault.NotFound }
func (s *server) endDevice(c echo.Context) error         { return fault.NotFound }
