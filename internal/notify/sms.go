// Package notify turns finished facts into messages.
package notify
