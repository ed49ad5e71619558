package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"doorplate/internal/config"
	"doorplate/internal/database"
	"doorplate/internal/demo"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
)

func migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Apply pending migrations and exit",
		Args:  noArgs,
		RunE: withProgram(func(ctx context.Context, p *program) error {
			if err := database.Migrate(ctx, p.db); err != nil {
				return err
			}
			fmt.Println("the database is up to date")
			return nil
		}),
	}
	c.AddCommand(&cobra.Command{
		Use:   "status",
		Short: "List every migration and whether it is applied",
		Args:  noArgs,
		RunE: withProgram(func(ctx context.Context, p *program) error {
			steps, err := database.Migrations(ctx, p.db)
			if err != nil {
				return err
			}
			for _, s := range steps {
				state := "pending"
				if s.Applied {
					state = "applied"
				}
				fmt.Printf("%s  %s\n", state, s.Name)
			}
			return nil
		}),
	})
	return c
}

// withProgram loads the program for a command that ends by itself.
func withProgram(do func(context.Context, *program) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		p, err := load()
		if err != nil {
			return err
		}
		defer p.close()
		return do(c.Context(), p)
	}
}

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Fill an empty database with the demo organisation 晨星科技",
		Args:  noArgs,
		RunE: withProgram(func(ctx context.Context, p *program) error {
			if err := p.migrated(ctx); err != nil {
				return err
			}
			if err := demo.Fill(ctx, p.db, p.keys, p.config.Timezone, time.Now()); err != nil {
				return err
			}
			fmt.Println("the demo organisation is ready; doorplate serve, then doorplate login-link 13800000001")
			return nil
		}),
	}
}

func loginLinkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login-link PHONE",
		Short: "Print a single-use sign-in link for an active member, valid 10 minutes",
		Args:  argsBetween(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return withProgram(func(ctx context.Context, p *program) error {
				if err := p.migrated(ctx); err != nil {
					return err
				}
				token, err := p.auth.CreateLoginLink(ctx, args[0])
				if errors.Is(err, fault.NotFound) {
					return errors.New("no active member has this phone number")
				} else if err != nil {
					return err
				}
				fmt.Println(p.config.BaseURL + paths.To(paths.LoginLink, token))
				return nil
			})(c, nil)
		},
	}
}

// version is set by the build (-ldflags -X main.version=…).
var version = "dev"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			commit := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						commit = s.Value
					}
				}
			}
			fmt.Printf("doorplate %s commit %s %s\n", version, commit, runtime.Version())
			return nil
		},
	}
}

// healthCommand is for containers: a static image has no curl.
func healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is alive",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load()
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(cfg.Addr)
			if err != nil {
				return err
			}
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			client := http.Client{Timeout: 3 * time.Second}
			answer, err := client.Get("http://" + net.JoinHostPort(host, port) + paths.Healthz)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("the server answered %d", answer.StatusCode)
			}
			return nil
		},
	}
}
