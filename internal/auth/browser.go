package auth

import (
	"strings"

	"github.com/mileusna/useragent"
)

// Browser is a user agent in words: proper names, the same in every language.
// Empty fields are unknown.
type Browser struct {
	App, System string
	Phone       bool
}

// BrowserOf reads a User-Agent header. Chat apps come first: the library takes
// them for the browser they are built on.
func BrowserOf(header string) Browser {
	ua := useragent.Parse(header)
	b := Browser{App: ua.Name, System: ua.OS, Phone: ua.Mobile || ua.Tablet}
	for _, known := range []struct{ sign, app string }{
		{"wxwork", "WeCom"}, {"micromessenger", "WeChat"}, {"dingtalk", "DingTalk"}, {"lark", "Feishu"}, {" qq/", "QQ"},
	} {
		if strings.Contains(strings.ToLower(header), known.sign) {
			b.App = known.app
			break
		}
	}
	if !ua.IsUnknown() && (ua.Name != header || b.App != ua.Name) {
		return b
	}
	return Browser{Phone: b.Phone}
}
