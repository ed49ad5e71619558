package views

import (
	"context"
	"fmt"
	"strings"

	"doorplate/internal/notify"
	"doorplate/internal/paths"
)

func mailHint(ctx context.Context, p NoticeSettingsProps) string {
	switch {
	case !p.MailOn:
		return t(ctx, "notices.settings.mail.off")
	case p.Address == "":
		return t(ctx, "notices.settings.mail.none")
	}
	return t(ctx, "notices.settings.mail.to", "Address", p.Address)
}

func smsHint(ctx context.Context, p NoticeSettingsProps) string {
	if !p.SMSOn {
		return t(ctx, "notices.settings.sms.off")
	}
	return t(ctx, "notices.settings.sms.hint")
}

func passwordHint(ctx context.Context, p MailProps) string {
	if p.HasPassword {
		return t(ctx, "notices.mail.password.keep")
	}
	return t(ctx, "notices.mail.password.hint")
}

// messageBadge is the look of a message's state.
var messageBadge = map[string]string{notify.Queued: "pending", notify.Sent: "live", notify.Failed: "exhausted", notify.GivenUp: "revoked", notify.Capped: "closed"}

func messageKind(ctx context.Context, m notify.Logged) string { return t(ctx, "notices.kind."+m.Kind) }

// tryWords is what a server said, or how long it took.
func tryWords(x notify.Try) string {
	var parts []string
	if x.Status != 0 {
		parts = append(parts, fmt.Sprint(x.Status))
	}
	parts = append(parts, fmt.Sprintf("%d ms", x.TookMS))
	if x.Error != "" {
		parts = append(parts, x.Error)
	}
	return strings.Join(parts, " · ")
}

func (p MessagesProps) filtered() bool {
	return p.Filter.Channel != "" || p.Filter.State != "" || p.Filter.After != 0
}

func (p MessagesProps) here() string {
	return paths.With(paths.SettingsMessages, "channel", p.Filter.Channel, "state", p.Filter.State)
}
