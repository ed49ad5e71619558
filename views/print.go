package views

import (
	"context"
	"fmt"
	"strings"

	"doorplate/internal/code"
	"doorplate/internal/paper"
	"doorplate/internal/press"
)

// PosterSizes are the papers, in the order of PrintProps.PosterModules.
var PosterSizes = paper.Sizes

// PrintProps is the page about printing one code.
type PrintProps struct {
	code.Plate
	Look            press.Look
	ECC             string // as it was chosen; empty leaves it to us
	Errors          map[string]string
	Preview         string    // a data: URL
	Module          int       // pixels of a module in the chosen picture
	Modules         int       // of the poster's code, one side
	PosterModules   []float64 // millimetres, by paper
	HasLogo         bool
	Lang            string
	Loopback, Plain bool
}

// option is one choice of a list.
type option struct{ Value, Text string }

func plainOptions(values ...string) (all []option) {
	for _, v := range values {
		all = append(all, option{v, strings.ToUpper(v)})
	}
	return all
}

func eccOptions(ctx context.Context) []option {
	all := []option{{"", t(ctx, "print.ecc.auto")}}
	for _, level := range press.ECCs {
		all = append(all, option{level, t(ctx, "print.ecc."+strings.ToLower(level))})
	}
	return all
}

func logoOptions(ctx context.Context, own bool) []option {
	all := []option{{"", t(ctx, "print.logo.none")}, {press.LogoMark, t(ctx, "print.logo.mark")}}
	if own {
		all = append(all, option{press.LogoOwn, t(ctx, "print.logo.own")})
	}
	return all
}

func langOptions(ctx context.Context) []option {
	return []option{{"zh", t(ctx, "print.lang.zh")}, {"en", t(ctx, "print.lang.en")}}
}

func gridOptions(ctx context.Context) []option {
	return []option{{"3x8", t(ctx, "print.grid.3x8")}, {"2x5", t(ctx, "print.grid.2x5")}, {press.OwnGrid, t(ctx, "print.grid.own")}}
}

func formatOptions(ctx context.Context) (all []option) {
	for _, f := range press.Formats {
		all = append(all, option{f, t(ctx, "print.format."+f)})
	}
	return all
}

// shortLang is how the address says a language.
func shortLang(lang string) string { return strings.TrimSuffix(lang, "-CN") }

// posterFact says how large a poster's code is and from how far it can be
// scanned: about ten times its width.
func posterFact(ctx context.Context, p PrintProps, i int) string {
	width := p.PosterModules[i] * float64(p.Modules)
	return t(ctx, "print.poster.fact", "Paper", strings.ToUpper(PosterSizes[i]), "Module", fmt.Sprintf("%.1f", p.PosterModules[i]),
		"Width", fmt.Sprintf("%.0f", width/10), "Distance", fmt.Sprintf("%.1f", width/100))
}

// tabPath is where a page of a code is, "" when there is none by this name.
func tabPath(name string) string {
	for _, tab := range codeTabList {
		if tab.Name == name {
			return tab.Pattern
		}
	}
	return ""
}
