// Withpg runs a command with DOORPLATE_TEST_DATABASE_URL set to a throw-away
// PostgreSQL that ends with the command: one server for a whole test run.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"doorplate/internal/testkit/cluster"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withpg COMMAND [ARG …]")
		os.Exit(2)
	}
	if os.Getenv("DOORPLATE_TEST_DATABASE_URL") == "" {
		dsn, err := cluster.Start()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Setenv("DOORPLATE_TEST_DATABASE_URL", dsn)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
