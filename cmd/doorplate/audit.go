package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"doorplate/internal/audit"
	"doorplate/internal/config"
	"doorplate/internal/secret"
)

func auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Work with the audit trail",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("usage: doorplate audit verify [FILE]")}
		},
	}
	c.AddCommand(verifyCommand())
	return c
}

// evidence is what verify was given besides the trail.
type evidence struct {
	checkpoints []string
	key         string
}

func verifyCommand() *cobra.Command {
	var e evidence
	c := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check the hash chain in the database, or in an exported file",
		Long: "Checks the hash chain in the database, or in an exported file, which needs neither the server nor\n" +
			"the database nor any setting. Prints the first entry that is not what was written and exits 1.\n\n" +
			"A checkpoint that was downloaded earlier also shows what was cut off or written anew since then.",
		Args: argsBetween(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return verifyFile(args[0], e)
			}
			return withProgram(func(ctx context.Context, p *program) error { return verifyDatabase(ctx, p, e) })(c, nil)
		},
	}
	c.Flags().StringArrayVar(&e.checkpoints, "checkpoint", nil, "`FILE` with a checkpoint that was downloaded earlier; may be given several times")
	c.Flags().StringVar(&e.key, "key", "", "`PUBLICKEY` that checkpoints are signed with, as the audit page shows it, or a file with it")
	return c
}

// verdict is what is printed when nothing is broken, line by line.
type verdict struct {
	audit.Report
	file     bool
	unsigned bool // checkpoints were given, and no key to check their signatures
}

func verifyDatabase(ctx context.Context, p *program, e evidence) error {
	kept, err := audit.ReadCheckpoint(p.checkpoint())
	if err != nil {
		return err
	}
	known, err := e.read(&p.keys)
	if err != nil {
		return err
	}
	if err := p.migrated(ctx); err != nil {
		return err
	}
	report, err := p.trail.Verify(ctx, p.db, append(known, kept)...)
	if err != nil {
		return err
	}
	report.Signed += len(known)
	return verdict{Report: report}.tell()
}

// verifyFile needs no database; the secret key is used when there is one.
func verifyFile(name string, e evidence) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open the exported audit trail: %w", err)
	}
	defer f.Close()
	keys, source := keyAtHand()
	known, err := e.read(keys)
	if err != nil {
		return err
	}
	key, err := e.publicKey(keys)
	if err != nil {
		return err
	}
	if keys != nil && key != audit.PublicKey(*keys) {
		keys = nil // this machine's secret key is another installation's
	}
	report, err := audit.VerifyFile(f, audit.Proof{Keys: keys, PublicKey: key, Known: known})
	if err != nil {
		return err
	}
	if b := report.Broken; b != nil && b.Kind == audit.NotOurs && e.key == "" {
		b.Note = "or " + source + " here is not the key of the installation that wrote the file; then name its public key with --key"
	}
	if key != "" {
		report.Signed += len(known)
	}
	return verdict{Report: report, file: true, unsigned: key == ""}.tell()
}

// publicKey is the key named, or the one that belongs to the secret key at hand.
func (e evidence) publicKey(keys *secret.Keys) (string, error) {
	if e.key == "" {
		if keys == nil {
			return "", nil
		}
		return audit.PublicKey(*keys), nil
	}
	if strings.Count(e.key, "+") >= 2 && !strings.ContainsAny(e.key, " \n") {
		if _, err := os.Stat(e.key); err != nil {
			return e.key, nil
		}
	}
	raw, err := os.ReadFile(e.key)
	if err != nil {
		return "", fmt.Errorf("--key is neither a public key nor a file with one: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// read reads the checkpoints named. With a public key their signatures have to fit.
func (e evidence) read(keys *secret.Keys) (known []audit.Head, err error) {
	key, err := e.publicKey(keys)
	if err != nil {
		return nil, err
	}
	for _, name := range e.checkpoints {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("open the checkpoint: %w", err)
		}
		c, err := audit.ParseCheckpoint(string(raw), key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		known = append(known, c.Head)
	}
	return known, nil
}

// keyAtHand returns the secret key if this machine has one, and where it is from; it never makes one.
func keyAtHand() (keys *secret.Keys, source string) {
	cfg, err := config.Load()
	if err != nil {
		return nil, ""
	}
	raw, err := cfg.ExistingSecretKey()
	if err != nil {
		return nil, ""
	}
	found, err := secret.New(raw)
	if err != nil {
		return nil, ""
	}
	return &found, cfg.SecretKeySource
}

func (v verdict) tell() error {
	if b := v.Broken; b != nil {
		return errors.New(where(b) + ": " + b.Cause())
	}
	fmt.Printf("the audit trail is whole: %d entries sealed, %d not sealed yet\n", v.Head.Seq, v.Unsealed)
	if v.Head.Seq > 0 {
		fmt.Printf("head %d %s\n", v.Head.Seq, v.Head.Hash)
	}
	if v.Checkpoints > 0 {
		fmt.Printf("it agrees with %s\n", checkpoints(v.Checkpoints))
	}
	if v.file && !v.Carried {
		fmt.Println("the file carries no signed checkpoint of its own: what was cut off at its end shows only against an earlier one (--checkpoint)")
	}
	if v.file && v.unsigned && (v.Carried || v.Checkpoints > 0) {
		fmt.Println("without the public key (--key) the signature of no checkpoint was checked")
	}
	if !v.MACChecked {
		fmt.Println("without the secret key only the chain was checked, not who wrote the entries: no MAC was checked")
	}
	return nil
}

func checkpoints(n int) string {
	if n == 1 {
		return "1 earlier checkpoint"
	}
	return fmt.Sprint(n, " earlier checkpoints")
}

// where names the first broken entry by number and time.
func where(b *audit.Broken) string {
	at := ""
	if !b.At.IsZero() {
		at = ", of " + b.At.UTC().Format(time.RFC3339)
	}
	switch {
	case b.Seq == 0:
		return fmt.Sprintf("the audit trail is broken at unsealed entry id %d%s", b.Entry, at)
	case b.Entry == 0:
		return fmt.Sprintf("the audit trail is broken at entry %d%s", b.Seq, at)
	}
	return fmt.Sprintf("the audit trail is broken at entry %d (id %d%s)", b.Seq, b.Entry, at)
}
