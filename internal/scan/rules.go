package scan

import (
	"time"

	"doorplate/internal/code"
)

// rule is one question of a decision: one of ours, or, from ruleCode on, one of the code's.
type rule uint8

const (
	ruleRobot rule = iota
	ruleAddress
	ruleVisitor
	ruleToken
	ruleCopy
	ruleNetwork
	ruleAudience
	ruleCode
)

// rules is the decision: the first that stops a scan is its cause. The caps come
// last: who is not let in anyway learns that, not how busy the code is.
var rules = func() []rule {
	all := []rule{ruleRobot, ruleAddress, ruleVisitor, ruleToken, ruleCopy}
	for _, r := range code.Gates {
		all = append(all, ruleCode+rule(r))
	}
	all = append(all, ruleNetwork, ruleAudience)
	for _, r := range code.Caps {
		all = append(all, ruleCode+rule(r))
	}
	return all
}()

// walk asks the rules in order until one stops the scan. see, if any, is told
// of each that was asked, with "" for one that let the scan pass.
func (b *batch) walk(c *call, see func(r rule, cause string, after time.Duration)) (string, time.Duration, error) {
	f := b.known(c)
	for _, r := range rules {
		cause, after, err := b.ask(r, c, f)
		if err != nil {
			return "", 0, err
		}
		if see != nil {
			see(r, cause, after)
		}
		if cause != "" {
			return cause, after, nil
		}
	}
	return Live, 0, nil
}

// ask is the cause that a rule stops a scan for, "" when it passes, and when it
// makes sense to try again. f is nil only up to ruleToken.
func (b *batch) ask(r rule, c *call, f *code.Facts) (cause string, after time.Duration, err error) {
	switch r {
	case ruleRobot:
		if c.robot {
			return Bot, 0, nil
		}
	case ruleAddress:
		if limit := b.policies.AddressPer10s; limit > 0 && c.addressHits > limit {
			return Speed, c.addressLeft, nil
		}
	case ruleVisitor:
		if limit := b.policies.VisitorPer10s; limit > 0 && c.visitorHits > limit {
			return Speed, c.visitorLeft, nil
		}
	case ruleToken:
		if f == nil {
			return Unknown, 0, nil
		}
	case ruleCopy:
		if copied, _ := b.from(c); copied.revoked {
			return Copy, 0, nil
		}
	case ruleNetwork:
		if !f.AllowsNetwork(c.req.Address) {
			return Network, 0, nil
		}
	case ruleAudience:
		if in, err := b.inAudience(c, f); err != nil || !in {
			return Audience, 0, err
		}
	default:
		return b.askCode(code.Rule(r-ruleCode), f)
	}
	return "", 0, nil
}

// askCode asks one of the code's own rules.
func (b *batch) askCode(r code.Rule, f *code.Facts) (cause string, after time.Duration, err error) {
	switch state := f.Stops(r, b.now); state {
	case "":
		return "", 0, nil
	case code.NotYet:
		return NotYet, f.OpensIn(b.now), nil
	case code.Closed:
		return Closed, f.OpensIn(b.now), nil
	case code.Limited:
		return Daily, nextDay(b.now, f.Location()), nil
	default: // the names of the others are the same, code.Exhausted the outcome's too
		return string(state), 0, nil
	}
}
