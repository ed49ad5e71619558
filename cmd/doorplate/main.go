// Doorplate puts one permanent code on the door of every group chat.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // a static image has no zone files

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command line that we cannot make sense of.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "doorplate: "+strings.Join(strings.Fields(err.Error()), " ")) // drivers answer in several lines
	if errors.As(err, &usageError{}) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "doorplate",
		Short:         "One permanent QR code on the door of every group chat",
		Long:          "Doorplate (门牌) is a self-hosted console that puts one permanent QR code on the door of\nevery group chat of an organisation and governs what is behind it.\n\nSettings come from the environment (DOORPLATE_ADDR, DOORPLATE_BASE_URL, DOORPLATE_DATA_DIR,\nDOORPLATE_DATABASE_URL, …); the README lists them.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usageError{errors.New("say what to do, e.g. doorplate serve; doorplate -h lists the commands")}
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.CompletionOptions.DisableDefaultCmd = true
	c.AddCommand(serveCommand(), migrateCommand(), demoCommand(), loginLinkCommand(), auditCommand(), versionCommand(), healthCommand())
	return c
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is not a command of %s; -h lists them", args[0], c.CommandPath())}
	}
	return nil
}

func argsBetween(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError{fmt.Errorf("usage: %s", c.UseLine())}
		}
		return nil
	}
}
