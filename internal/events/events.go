// Package events keeps the facts that have happened: rows that the transaction
// which made a fact true writes with it. Pages that are open follow them, and
// messages are made of them.
package events

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// Kinds of facts about a request. The database writes these itself whenever a
// request's state changes, whoever changes it.
const (
	Submitted = "request.submitted"
	Approved  = "request.approved"
	Rejected  = "request.rejected"
	Withdrawn = "request.withdrawn"
	Expired   = "request.expired"
	Cancelled = "request.cancelled"
	Reopened  = "request.reopened" // a decision was taken back
	Moved     = "request.moved"    // it waits for another group now
)

// Joined is somebody who got in through a door, with or without a request.
const Joined = "member.joined"

// Event is one fact. What it is about may be gone by the time somebody reads it.
type Event struct {
	ID        int64
	Kind      string
	GroupID   *int64
	RequestID *int64
	MemberID  *int64 // whom it is about; of somebody outside the directory GuestID
	GuestID   *int64
	CodeID    *int64
	ActorID   *int64 // the member who did it
	Data      string // JSON, by kind; "" = nothing to add
	At        time.Time
	HandledAt *time.Time // when its messages were queued
}

// TableName is for gorm.
func (Event) TableName() string { return "events" }

// Publish writes facts inside the caller's transaction: they are heard of once
// it is committed, and never otherwise.
func Publish(tx *gorm.DB, all ...Event) error {
	if len(all) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(&all, 500).Error; err != nil {
		return fmt.Errorf("publish events: %w", err)
	}
	if !database.Postgres(tx) {
		return nil
	}
	if err := tx.Exec("SELECT pg_notify('doorplate_events', '')").Error; err != nil {
		return fmt.Errorf("publish events: %w", err)
	}
	return nil
}
