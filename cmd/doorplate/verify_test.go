package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/secret"
	"doorplate/internal/testkit"
)

// exhibit is an exported trail of eight entries with two checkpoints, as somebody takes them to another machine.
type exhibit struct {
	t     *testing.T
	dir   string
	lines []string // of the export, line ends included
}

func newExhibit(t *testing.T) *exhibit {
	t.Helper()
	i := newInstance(t, "")
	if _, errs, code := i.run("migrate"); code != 0 {
		t.Fatal(errs)
	}
	db, err := database.Open(database.InDir(i.dir))
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close(db)
	clock := testkit.NewClock()
	trail := audit.New(testkit.Keys(), clock.Now)
	x := &exhibit{t: t, dir: t.TempDir()}
	write := func(n int) {
		for k := range n {
			err := db.Transaction(func(tx *gorm.DB) error {
				return trail.Record(tx, access.Background("test"), audit.Event{Action: "group.rename", Object: audit.Object{Kind: "group", ID: "G", Name: fmt.Sprint("群", k)}})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := trail.SealAll(context.Background(), db, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	write(5)
	c, err := audit.NewLog(db, trail).Checkpoint(context.Background(), access.Actor{Kind: access.Member, MemberID: 1, Super: true})
	if err != nil {
		t.Fatal(err)
	}
	write(2) // and the entry about the checkpoint
	var file bytes.Buffer
	if err := trail.Export(context.Background(), db, &file); err != nil {
		t.Fatal(err)
	}
	x.lines = strings.SplitAfter(strings.TrimSuffix(file.String(), "\n"), "\n")
	x.lines[len(x.lines)-1] += "\n"
	x.put("checkpoint.txt", c.Note)
	x.put("key.txt", trail.PublicKey()+"\n")
	other, err := secret.New([]byte(strings.Repeat("other key ", 4)))
	if err != nil {
		t.Fatal(err)
	}
	x.put("other-key.txt", audit.PublicKey(other)+"\n")
	return x
}

func (x *exhibit) put(name, text string) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// verify runs the program in the directory of the exhibits with nothing but env set.
func (x *exhibit) verify(env []string, args ...string) (stdout, stderr string, code int) {
	x.t.Helper()
	path, err := binary()
	if err != nil {
		x.t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"audit", "verify"}, args...)...)
	cmd.Env, cmd.Dir = append([]string{}, env...), x.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil && cmd.ProcessState == nil {
		x.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// headOf is the last line of a file as older versions wrote it: without a checkpoint.
func (x *exhibit) headOf(seq int) string {
	x.t.Helper()
	var l struct{ Hash string }
	if err := json.Unmarshal([]byte(x.lines[seq-1]), &l); err != nil {
		x.t.Fatal(err)
	}
	return fmt.Sprintf(`{"head":{"seq":%d,"hash":%q}}`+"\n", seq, l.Hash)
}

// Everything that can be wrong with a file is said in one plain sentence, and the exit code agrees.
//
// req: D38
func TestVerifyingAFileAnywhere(t *testing.T) {
	x := newExhibit(t)
	all := strings.Join(x.lines, "")
	n := len(x.lines) - 1
	without := func(k int) string { return strings.Join(x.lines[:k-1], "") + strings.Join(x.lines[k:], "") }
	forged := strings.Replace(x.lines[1], `"seq":2`, `"seq":3`, 1)
	for name, text := range map[string]string{
		"whole": all, "changed": strings.Replace(all, "群3", "群9", 1), "deleted": without(4), "inserted": strings.Join(x.lines[:2], "") + forged + strings.Join(x.lines[2:], ""),
		"cut": strings.Join(x.lines[:3], ""), "cut-head": strings.Join(x.lines[:3], "") + x.lines[n], "cut-new-head": strings.Join(x.lines[:3], "") + x.headOf(3),
		"older": strings.Join(x.lines[:n], "") + x.headOf(n), "huge": x.lines[0] + `{"seq":2,"entry":{"details":"` + strings.Repeat("x", 9<<20) + `"}}` + "\n",
		"foreign": "name,phone\n周岚,13800000001\n", "binary": "\x1f\x8b\x08\x00\xff\xfe", "empty": "", "json": "{}\n", "windows": strings.ReplaceAll(all, "\n", "\r\n"),
		"more": all + x.lines[0],
	} {
		x.put(name, text)
	}
	secretKey := []string{"DOORPLATE_SECRET_KEY=0123456789abcdef0123456789abcdef"}
	otherSecret := []string{"DOORPLATE_SECRET_KEY=another-key-another-key-another-key"}
	for name, c := range map[string]struct {
		env  []string
		args string
		code int
		says string
	}{
		"whole, no environment":             {nil, "whole", 0, fmt.Sprintf("the audit trail is whole: %d entries sealed", n)},
		"no key is said":                    {nil, "whole", 0, "no MAC was checked"},
		"no key of checkpoints is said":     {nil, "whole --checkpoint checkpoint.txt", 0, "--key"},
		"whole, all evidence":               {secretKey, "whole --checkpoint checkpoint.txt --key key.txt", 0, "it agrees with 1 earlier checkpoint"},
		"changed":                           {nil, "changed", 1, "entry 4"},
		"changed, with the key":             {secretKey, "changed", 1, "was changed"},
		"deleted":                           {nil, "deleted", 1, "broken at entry 4: the seal of this entry is missing"},
		"inserted":                          {nil, "inserted", 1, "entry 3"},
		"cut off":                           {nil, "cut", 1, "cut off"},
		"cut off before its head":           {nil, "cut-head", 1, "broken at entry 4: the chain was cut off"},
		"cut off, new head":                 {nil, "cut-new-head", 0, "shows only against an earlier one (--checkpoint)"},
		"cut off, new head, public key":     {nil, "cut-new-head --key key.txt", 0, "shows only against an earlier one (--checkpoint)"},
		"cut off, new head, checkpoint":     {nil, "cut-new-head --checkpoint checkpoint.txt", 1, "broken at entry 4: the chain was cut off"},
		"wrong public key":                  {nil, "whole --key other-key.txt", 1, "is not signed with this public key"},
		"checkpoint of somebody else":       {nil, "whole --checkpoint checkpoint.txt --key other-key.txt", 1, "not signed with this public key"},
		"no public key":                     {nil, "whole --key foreign", 1, "not a public key"},
		"no such key":                       {nil, "whole --key nowhere", 1, "--key"},
		"no checkpoint":                     {nil, "whole --checkpoint foreign", 1, "this is not a checkpoint"},
		"no such checkpoint":                {nil, "whole --checkpoint nowhere", 1, "checkpoint"},
		"another machine's secret":          {otherSecret, "whole", 1, "DOORPLATE_SECRET_KEY"},
		"another machine's secret, and key": {otherSecret, "whole --key key.txt", 0, "no MAC was checked"},
		"older file":                        {nil, "older", 0, "the audit trail is whole"},
		"older file, key":                   {secretKey, "older --key key.txt", 0, "no signed checkpoint of its own"},
		"other line ends":                   {nil, "windows --key key.txt", 0, "the audit trail is whole"},
		"huge line":                         {nil, "huge", 1, "line 2 is not an entry"},
		"something else":                    {nil, "foreign", 1, "line 1 is not an entry of an exported audit trail"},
		"binary":                            {nil, "binary", 1, "line 1 is not an entry of an exported audit trail"},
		"json of another kind":              {nil, "json", 1, "line 1 is not an entry of an exported audit trail"},
		"more after the head":               {nil, "more", 1, fmt.Sprintf("line %d is not an entry", n+2)},
		"nothing in it":                     {nil, "empty", 1, "no head line"},
		"a directory":                       {nil, ".", 1, "directory"},
		"not there":                         {nil, "nowhere", 1, "no such file"},
		"two files":                         {nil, "whole older", 2, "usage"},
		"unknown flag":                      {nil, "whole --quick", 2, "--quick"},
		"flag without a value":              {nil, "whole --key", 2, "--key"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := x.verify(c.env, strings.Fields(c.args)...)
			said := errs
			if c.code == 0 {
				said = out
			}
			if code != c.code || !strings.Contains(said, c.says) || c.code != 0 && (out != "" || strings.Count(errs, "\n") != 1) || c.code == 0 && errs != "" {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit %d and %q", code, out, errs, c.code, c.says)
			}
		})
	}
	left, err := os.ReadDir(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.IsDir() {
			t.Errorf("verifying left %s behind", f.Name())
		}
	}
}
