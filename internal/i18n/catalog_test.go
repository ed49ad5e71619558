package i18n_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"doorplate/internal/i18n"
)

// keys reads every key of a language with the placeholders of its texts.
func keys(t *testing.T, lang string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("catalogs/*." + lang + ".json")
	if err != nil || len(files) == 0 {
		t.Fatal("no catalogs", err)
	}
	out := map[string]string{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(name, err)
		}
		for key, value := range all {
			if _, twice := out[key]; twice {
				t.Errorf("%s: %s stands in another file too", name, key)
			}
			out[key] = placeholders(value)
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`{{\s*\.(\w+)\s*}}`)

func placeholders(value any) string {
	text := fmt.Sprint(value)
	if forms, ok := value.(map[string]any); ok {
		text = fmt.Sprint(forms["other"])
	}
	names := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

// English has a form for one, which a text may lack.
func TestEveryTextCanBeSaidOfOne(t *testing.T) {
	for _, lang := range i18n.Languages {
		for key := range keys(t, lang) {
			for _, count := range []int{0, 1, 2} {
				if text := i18n.In(lang, key, "Count", count); strings.Contains(text, "‹") {
					t.Errorf("%s of %d: %s", lang, count, text)
				}
			}
		}
	}
}

func TestBothLanguagesSayTheSameThings(t *testing.T) {
	zh, en := keys(t, i18n.Chinese), keys(t, i18n.English)
	for key, names := range zh {
		other, there := en[key]
		if !there {
			t.Errorf("%s is missing in English", key)
		} else if other != names {
			t.Errorf("%s has the placeholders %q in Chinese and %q in English", key, names, other)
		}
	}
	for key := range en {
		if _, there := zh[key]; !there {
			t.Errorf("%s is missing in Chinese", key)
		}
	}
}

var (
	literal = regexp.MustCompile(`"((?:[a-z][a-zA-Z0-9_]*\.)+[a-zA-Z0-9_]*)"`)
	// asked finds the keys that code asks for by a whole literal.
	asked  = regexp.MustCompile(`(?:\bt\(ctx, |\bi18n\.T\([^"]{1,40}, |\bi18n\.In\([^"]{1,40}, |\bfault\.Msg\(|flash\(c, "\w+", )"([a-z][\w.]*)"([^+\w]|$)`)
	action = regexp.MustCompile(`Action:\s+"([a-z_.]+)"`)
	right  = regexp.MustCompile(`Right\s+=\s+"([a-z.]+)"`)
)

// source calls f with every line of our Go code and templates, tests left out.
func source(t *testing.T, f func(file, line string)) {
	t.Helper()
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
			return err
		}
		if ext := path.Ext(name); ext != ".go" && ext != ".templ" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		for line := range strings.Lines(string(text)) {
			f(name, line)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoKeyIsMissingAndNoneIsUnused(t *testing.T) {
	all := keys(t, i18n.Chinese)
	used := map[string]bool{}
	var prefixes []string
	need := func(file, key string) {
		used[key] = true
		if _, there := all[key]; !there {
			t.Errorf("%s asks for %s, which no catalog has", file, key)
		}
	}
	source(t, func(file, line string) {
		for _, m := range asked.FindAllStringSubmatch(line, -1) {
			if !strings.HasSuffix(m[1], ".") {
				need(file, m[1])
			}
		}
		for _, m := range action.FindAllStringSubmatch(line, -1) {
			need(file, "audit.action."+m[1])
		}
		for _, m := range right.FindAllStringSubmatch(line, -1) {
			need(file, "right."+m[1])
		}
		for _, m := range literal.FindAllStringSubmatch(line, -1) {
			used[m[1]] = true
			if strings.HasSuffix(m[1], ".") {
				prefixes = append(prefixes, m[1])
			}
		}
	})
	for key := range all {
		if !used[key] && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("%s is used nowhere", key)
		}
	}
}

func TestPick(t *testing.T) {
	for _, c := range []struct{ cookie, accept, want string }{
		{"", "", "zh-CN"}, {"", "en-GB,en;q=0.9", "en"}, {"", "zh-TW", "zh-CN"}, {"", "de,en;q=0.5", "en"}, {"", "de", "zh-CN"},
		{"en", "zh-CN", "en"}, {"xx", "en", "en"}, {"", ";;;q=x", "zh-CN"},
	} {
		if got := i18n.Pick(c.cookie, c.accept); got != c.want {
			t.Errorf("Pick(%q, %q) = %s, want %s", c.cookie, c.accept, got, c.want)
		}
	}
}

func TestPlurals(t *testing.T) {
	if got := i18n.In("en", "time.minutes", "Count", 1); got != "1 minute ago" {
		t.Error(got)
	}
	if got := i18n.In("zh-CN", "time.minutes", "Count", 5); got != "5 分钟前" {
		t.Error(got)
	}
}
