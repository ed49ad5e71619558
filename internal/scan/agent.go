package scan

import (
	"strings"
	"sync"

	"github.com/mileusna/useragent"
)

// Apps and Devices are the values the history keeps of what somebody scanned with.
var (
	Apps    = []string{"wechat", "wecom", "dingtalk", "feishu", "qq", "alipay", "browser"}
	Devices = []string{"mobile", "tablet", "desktop", "other"}
)

// apps are the browsers built into chat apps, by a mark in the user agent, the
// finer mark first: WeCom also says MicroMessenger. Libraries read WeChat on
// Android as Chrome, so these come before them.
var apps = []struct{ mark, name string }{
	{"wxwork", "wecom"}, {"micromessenger", "wechat"}, {"dingtalk", "dingtalk"}, {"lark", "feishu"}, {"feishu", "feishu"},
	{"alipayclient", "alipay"}, {" qq/", "qq"},
}

// robots are marks of crawlers and of the programs that fetch a link preview.
var robots = []string{
	"bot/", "bot;", "bot)", "bot ", "bot-", "spider", "crawler", "preview", "facebookexternalhit", "facebot", "slackbot", "slack-img", "telegrambot", "twitterbot",
	"whatsapp/", "discordbot", "linkedinbot", "skypeuripreview", "embedly", "vkshare", "pinterest/", "bitlybot", "larkurl2png", "iframely",
	"mediapartners-google", "google-inspectiontool", "applebot", "baiduspider", "bingbot", "googlebot", "wechatshareext",
}

// agent is what a user agent says.
type agent struct {
	robot       bool
	app, device string
}

// agents remembers what was found out: few browsers make nearly all scans.
var agents = struct {
	sync.RWMutex
	known map[string]agent
}{known: map[string]agent{}}

// maxAgents and maxAgentLength bound the memory that strangers can make us use.
const (
	maxAgents      = 2000
	maxAgentLength = 400
)

func agentOf(userAgent string) agent {
	agents.RLock()
	a, known := agents.known[userAgent]
	agents.RUnlock()
	if known {
		return a
	}
	a = agent{robot(userAgent), app(userAgent), device(userAgent)}
	if len(userAgent) > maxAgentLength {
		return a
	}
	agents.Lock()
	defer agents.Unlock()
	if len(agents.known) >= maxAgents {
		clear(agents.known)
	}
	agents.known[strings.Clone(userAgent)] = a
	return a
}

// robot reports whether a user agent is a program that looks at links by itself.
func robot(userAgent string) bool {
	ua := strings.ToLower(userAgent)
	ua = strings.ReplaceAll(ua, "cubot", "") // a maker of phones
	if strings.HasSuffix(ua, "bot") {
		return true
	}
	for _, mark := range robots {
		if strings.Contains(ua, mark) {
			return true
		}
	}
	return false
}

// app names the program that opened the link.
func app(userAgent string) string {
	ua := strings.ToLower(userAgent)
	for _, a := range apps {
		if strings.Contains(ua, a.mark) {
			return a.name
		}
	}
	return "browser"
}

// device is the class of the machine: mobile, tablet, desktop or other.
func device(userAgent string) string {
	switch ua := useragent.Parse(userAgent); {
	case ua.Tablet:
		return "tablet"
	case ua.Mobile:
		return "mobile"
	case ua.Desktop:
		return "desktop"
	}
	return "other"
}
