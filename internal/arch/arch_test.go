// Package arch holds the one test that keeps the import graph honest.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "doorplate/"

// may lists, for each package of ours, the packages of ours it may import.
// A package that is not listed fails the test: adding one is a decision.
var may = map[string]string{
	"cmd/doorplate": "web static internal/access internal/approval internal/audit internal/auth internal/code internal/config internal/database internal/demo " +
		"internal/directory internal/events internal/fault internal/fuse internal/group internal/i18n internal/jobs internal/join internal/notify internal/operations internal/paths internal/press internal/recert internal/rules internal/scan internal/secret",
	"web": "views views/ui static internal/access internal/approval internal/audit internal/auth internal/code internal/config internal/directory internal/events internal/fault " +
		"internal/fuse internal/group internal/i18n internal/join internal/notify internal/operations internal/paper internal/paths internal/press internal/qr internal/recert internal/rules internal/scan internal/secret",
	"views": "views/ui static internal/access internal/approval internal/audit internal/auth internal/code internal/directory internal/fault internal/group internal/i18n " +
		"internal/fuse internal/join internal/notify internal/operations internal/paper internal/paths internal/press internal/recert internal/rules internal/scan",
	"views/ui": "",
	"static":   "",

	"internal/auth":      "internal/directory internal/access internal/audit internal/jobs internal/fault internal/secret internal/database",
	"internal/directory": "internal/access internal/audit internal/jobs internal/fault internal/database internal/spreadsheet",
	"internal/group":     "internal/directory internal/access internal/audit internal/events internal/jobs internal/fault internal/paths internal/qr internal/database",
	"internal/code":      "internal/qr internal/group internal/directory internal/access internal/audit internal/fault internal/paths internal/secret internal/database",
	"internal/scan":      "internal/code internal/group internal/directory internal/access internal/audit internal/fault internal/paths internal/secret internal/database internal/spreadsheet",
	"internal/recert":    "internal/code internal/group internal/directory internal/access internal/audit internal/fault",
	"internal/join":      "internal/code internal/group internal/directory internal/access internal/audit internal/events internal/rules internal/jobs internal/fault internal/secret internal/database",
	"internal/approval":  "internal/group internal/code internal/directory internal/access internal/audit internal/jobs internal/fault internal/database internal/spreadsheet",
	"internal/notify":    "internal/auth internal/join internal/group internal/directory internal/access internal/audit internal/events internal/jobs internal/i18n internal/fault internal/paths internal/secret internal/database",
	"internal/fuse":      "internal/code internal/group internal/directory internal/access internal/audit internal/events internal/fault internal/secret internal/database",
	"internal/rules":     "internal/group internal/directory internal/access internal/audit internal/fault internal/database",
	"internal/press":     "internal/code internal/group internal/directory internal/access internal/audit internal/fault internal/i18n internal/paper internal/paths internal/qr internal/spreadsheet",
	"internal/demo":      "internal/access internal/approval internal/audit internal/code internal/directory internal/group internal/join internal/scan internal/database internal/secret internal/fault internal/qr internal/recert",

	"internal/operations": "internal/code internal/group internal/directory internal/access internal/audit internal/fault internal/database internal/spreadsheet",

	"internal/audit":       "internal/access internal/fault internal/secret internal/database",
	"internal/jobs":        "internal/database internal/secret",
	"internal/events":      "internal/database",
	"internal/access":      "internal/fault",
	"internal/fault":       "",
	"internal/secret":      "",
	"internal/paths":       "",
	"internal/i18n":        "",
	"internal/qr":          "",
	"internal/paper":       "internal/qr",
	"internal/spreadsheet": "",
	"internal/config":      "",
	"internal/database":    "",

	"internal/testkit":         "internal/access internal/database internal/secret internal/testkit/cluster",
	"internal/testkit/cluster": "",
	"internal/testkit/withpg":  "internal/testkit/cluster",
	"internal/arch":            "",
	"internal/bench":           "",
}

// outside names libraries that only some packages may see.
var outside = map[string][]string{
	"github.com/labstack/echo/v4":            {"web"},
	"github.com/labstack/echo/v4/middleware": {"web"},
	"github.com/gorilla/sessions":            {"web"},
	"github.com/a-h/templ":                   {"web", "views", "views/ui"},
	"gorm.io/driver/postgres":                {"internal/database"},
	"github.com/glebarez/sqlite":             {"internal/database"},
	"github.com/glebarez/go-sqlite":          {"internal/database"},
}

// never names libraries that some packages may not see.
var never = map[string][]string{
	"web":      {"gorm.io/gorm"},
	"views":    {"gorm.io/gorm", "net/http"},
	"views/ui": {"gorm.io/gorm", "net/http"},
}

func TestImports(t *testing.T) {
	for _, complaint := range check(t, os.DirFS("../..")) {
		t.Error(complaint)
	}
}

// The check must see a wrong import, or it proves nothing.
func TestAPlantedWrongImportIsFound(t *testing.T) {
	planted := fstest.MapFS{
		"web/bad.go":            {Data: []byte("package web\nimport _ \"gorm.io/gorm\"\n")},
		"internal/group/bad.go": {Data: []byte("package group\nimport _ \"doorplate/internal/join\"\n")},
		"internal/util/util.go": {Data: []byte("package util\n")},
		"views/bad.go":          {Data: []byte("package views\nimport _ \"github.com/labstack/echo/v4\"\n")},
	}
	if got := check(t, planted); len(got) != len(planted) {
		t.Errorf("found %d of %d planted wrong imports: %q", len(got), len(planted), got)
	}
}

func check(t *testing.T, tree fs.FS) (complaints []string) {
	t.Helper()
	for name, imports := range read(t, tree) {
		allowed, known := may[name]
		if !known {
			complaints = append(complaints, name+" is not in the import table")
			continue
		}
		for imp := range imports {
			own, ours := strings.CutPrefix(imp, module)
			who, restricted := outside[imp]
			if ours && !slices.Contains(strings.Fields(allowed), own) || restricted && !slices.Contains(who, name) || slices.Contains(never[name], imp) {
				complaints = append(complaints, name+" must not import "+imp)
			}
		}
	}
	return complaints
}

// read returns package folder → its imports, tests left out.
func read(t *testing.T, tree fs.FS) map[string]map[string]bool {
	t.Helper()
	seen := map[string]map[string]bool{}
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if seen[dir] == nil {
			seen[dir] = map[string]bool{}
		}
		for _, s := range f.Imports {
			imp, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				return err
			}
			seen[dir][imp] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}
