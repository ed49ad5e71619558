package join

import (
	"fmt"

	"gorm.io/gorm"
)

// Kinds of Answer. The first five are those of a questionnaire's fields.
const (
	KindText     = "text"
	KindChoice   = "choice"
	KindNumber   = "number"
	KindDate     = "date"     // YYYY-MM-DD
	KindYesNo    = "yesno"    // yes or no
	KindQuestion = "question" // the answer was accepted
	KindInvite   = "invite"   // label is the batch's, value the end of the code
	KindLast4    = "last4"    // they fitted; value is empty
	KindEmail    = "email"    // typed; nothing proves it
)

// Answer is one thing an applicant said beside name and note, with the question
// as it was asked then.
type Answer struct {
	RequestID int64
	Position  int
	FieldKey  string // the name of the field in the form: answer, invite_code, phone_last4, email, q1, q2, …
	Label     string // of a questionnaire's field, the question, or the invite batch; else empty
	Kind      string
	Value     string
}

// TableName is for gorm.
func (Answer) TableName() string { return "request_answers" }

// answersAtOnce bounds the ids of one statement.
const answersAtOnce = 500

// AnswersOf reads what was answered with some requests, in the order of the
// form. Requests without answers have no entry.
func AnswersOf(tx *gorm.DB, ids ...int64) (map[int64][]Answer, error) {
	all := map[int64][]Answer{}
	for len(ids) > 0 {
		n := min(len(ids), answersAtOnce)
		var rows []Answer
		if err := tx.Where("request_id IN ?", ids[:n]).Order("request_id, position").Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read the answers: %w", err)
		}
		for _, a := range rows {
			all[a.RequestID] = append(all[a.RequestID], a)
		}
		ids = ids[n:]
	}
	return all, nil
}

// keepAnswers writes them with the request they belong to.
func keepAnswers(tx *gorm.DB, requestID int64, all []Answer) error {
	if len(all) == 0 {
		return nil
	}
	for i := range all {
		all[i].RequestID, all[i].Position = requestID, i+1
	}
	if err := tx.Create(&all).Error; err != nil {
		return fmt.Errorf("write the answers: %w", err)
	}
	return nil
}

// keepStay is keepAnswers for somebody who goes in without a request.
func keepStay(tx *gorm.DB, membershipID int64, all []Answer) error {
	for i, a := range all {
		err := tx.Exec("INSERT INTO stay_answers (membership_id, position, field_key, label, kind, value) VALUES (?, ?, ?, ?, ?, ?)",
			membershipID, i+1, a.FieldKey, a.Label, a.Kind, a.Value).Error
		if err != nil {
			return fmt.Errorf("write the answers: %w", err)
		}
	}
	return nil
}
