// Package i18n holds the zh-CN and en catalogs and finds a reader's language.
package i18n

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// The languages we speak. Chinese is the default.
const (
	Chinese = "zh-CN"
	English = "en"
)

// Languages lists them, the default first.
var Languages = []string{Chinese, English}

//go:embed catalogs
var files embed.FS

type catalog struct {
	plain     map[string]string // messages without parameters: no template run
	localizer *goi18n.Localizer
}

var load = sync.OnceValue(func() map[string]catalog {
	bundle := goi18n.NewBundle(language.MustParse(Chinese))
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	out := map[string]catalog{}
	for _, lang := range Languages {
		out[lang] = catalog{plain: map[string]string{}, localizer: goi18n.NewLocalizer(bundle, lang)}
		parts, err := fs.Glob(files, "catalogs/*."+lang+".json")
		if err != nil {
			panic(err)
		}
		for _, p := range parts {
			add(bundle, out[lang].plain, p)
		}
	}
	return out
})

// add reads one area's file, e.g. catalogs/groups.en.json. A broken catalog is
// a broken build, so it panics.
func add(bundle *goi18n.Bundle, plain map[string]string, name string) {
	raw, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	if _, err := bundle.ParseMessageFileBytes(raw, path.Base(name)); err != nil {
		panic(fmt.Errorf("%s: %w", name, err))
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		panic(fmt.Errorf("%s: %w", name, err))
	}
	for key, value := range all {
		if text, ok := value.(string); ok && !strings.Contains(text, "{{") {
			if _, twice := plain[key]; twice {
				panic("i18n: " + key + " stands twice in " + name)
			}
			plain[key] = text
		}
	}
}

type contextKey struct{}

// With returns a context whose reader reads lang.
func With(ctx context.Context, lang string) context.Context {
	return context.WithValue(ctx, contextKey{}, lang)
}

// Lang returns the language of ctx's reader.
func Lang(ctx context.Context) string {
	if lang, ok := ctx.Value(contextKey{}).(string); ok {
		return lang
	}
	return Chinese
}

// T returns the text of key in the language of ctx. args are name, value, … for
// the placeholders {{.Name}}; "Count" also picks the plural form.
func T(ctx context.Context, key string, args ...any) string { return In(Lang(ctx), key, args...) }

// In is T for a given language.
func In(lang, key string, args ...any) string {
	c, ok := load()[lang]
	if !ok {
		c = load()[Chinese]
	}
	if text, ok := c.plain[key]; ok {
		return text
	}
	config := &goi18n.LocalizeConfig{MessageID: key}
	if len(args) > 0 {
		data := make(map[string]any, len(args)/2)
		for i := 0; i+1 < len(args); i += 2 {
			name := args[i].(string)
			data[name] = args[i+1]
			if name == "Count" {
				config.PluralCount = args[i+1]
			}
		}
		config.TemplateData = data
	}
	text, err := c.localizer.Localize(config)
	if err != nil && config.PluralCount != nil {
		config.PluralCount = nil // a text with one form says every number with it
		text, err = c.localizer.Localize(config)
	}
	if err != nil {
		return "‹" + key + "›" // visible, and found by the catalog test
	}
	return text
}

// Has reports whether key exists in lang's catalog.
func Has(lang, key string) bool {
	return !strings.HasPrefix(In(lang, key, "Count", 1), "‹"+key)
}

// Pick chooses the language: a known cookie value, else Accept-Language, else Chinese.
func Pick(cookie, accept string) string {
	if cookie == Chinese || cookie == English {
		return cookie
	}
	switch accept { // what most phones send, without the work of reading it
	case "zh-CN", "zh-CN,zh;q=0.9", "zh-CN,zh-Hans;q=0.9", "zh-CN,zh;q=0.9,en-US;q=0.8,en;q=0.7", "":
		return Chinese
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return Chinese
	}
	for _, t := range tags {
		switch base, _ := t.Base(); base.String() {
		case "zh":
			return Chinese
		case "en":
			return English
		}
	}
	return Chinese
}
