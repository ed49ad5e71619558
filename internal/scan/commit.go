package scan

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
)

// statement is one question to the database, or, without each, one order.
// Parameters are written as ?.
type statement struct {
	sql  string
	args []any
	each func(scan func(into ...any) error) error
}

// list is a parameter that stands for many texts.
type list []string

// dialect are the statements that differ.
var lockSQL, lockPostgres = code.LockSQL(false), code.LockSQL(true)

// commit decides and records a batch in one transaction.
func (s *Service) commit(ctx context.Context, calls []*call) (decisions []Decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("scan writer: panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	work := func(tx *gorm.DB, run func(...statement) error) error {
		b := newBatch(tx)
		if err := run(b.questions(calls)...); err != nil {
			return err
		}
		b.at(s.now())
		var rows []row
		if decisions, rows, err = s.decide(b, calls); err != nil {
			return err
		}
		return run(b.orders(rows)...)
	}
	if database.Postgres(s.db) {
		return decisions, s.inPipeline(ctx, work)
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return work(tx, func(all ...statement) error { return oneByOne(tx, all) })
	})
	return decisions, err
}

// oneByOne is for the embedded database, where a statement costs no journey.
func oneByOne(tx *gorm.DB, all []statement) error {
	for _, st := range all {
		for i, arg := range st.args {
			if many, ok := arg.(list); ok {
				text, err := json.Marshal(many)
				if err != nil {
					return err
				}
				st.args[i] = string(text)
			}
		}
		if st.each == nil {
			if err := tx.Exec(st.sql, st.args...).Error; err != nil {
				return fmt.Errorf("scan batch: %w", err)
			}
			continue
		}
		rows, err := tx.Raw(st.sql, st.args...).Rows()
		if err != nil {
			return fmt.Errorf("scan batch: %w", err)
		}
		for rows.Next() && err == nil {
			err = st.each(rows.Scan)
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return fmt.Errorf("scan batch: %w", err)
		}
	}
	return nil
}

// inPipeline runs a batch on PostgreSQL in two journeys: everything up to the
// answers of the questions, then everything up to the commit. How often it waits
// for the network, not what the server does, is what a batch of scans costs.
func (s *Service) inPipeline(ctx context.Context, work func(*gorm.DB, func(...statement) error) error) error {
	return s.db.WithContext(ctx).Connection(func(tx *gorm.DB) error {
		conn, ok := tx.Statement.ConnPool.(*sql.Conn)
		if !ok {
			return errors.New("scan writer: no connection of its own")
		}
		edge := "BEGIN" // before the first statements, then COMMIT after the second
		err := work(tx, func(all ...statement) error {
			if edge == "BEGIN" {
				all = append([]statement{{sql: edge}, {sql: onePlan}}, all...)
				edge = "COMMIT"
			} else {
				all = append(all, statement{sql: edge})
			}
			return pipeline(ctx, conn, all)
		})
		if err != nil {
			undo(ctx, conn)
		}
		return err
	})
}

// onePlan keeps the server from planning the same few statements anew with every
// batch: they are worth one plan whatever their parameters.
const onePlan = "SET LOCAL plan_cache_mode = force_generic_plan"

func pipeline(ctx context.Context, conn *sql.Conn, all []statement) error {
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("scan writer: not a PostgreSQL connection")
		}
		sent := &pgx.Batch{}
		for _, st := range all {
			for i, arg := range st.args {
				if many, ok := arg.(list); ok {
					st.args[i] = []string(many)
				}
			}
			queued := sent.Queue(numbered(st.sql), st.args...)
			if st.each != nil {
				queued.Query(func(rows pgx.Rows) error {
					for rows.Next() {
						if err := st.each(rows.Scan); err != nil {
							return err
						}
					}
					return rows.Err()
				})
			}
		}
		if err := c.Conn().SendBatch(ctx, sent).Close(); err != nil {
			return fmt.Errorf("scan batch: %w", err)
		}
		return nil
	})
}

// undo takes back what a failed batch began, or gives the connection up.
func undo(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok || c.Conn().IsClosed() {
			return nil
		}
		if _, err := c.Conn().Exec(ctx, "ROLLBACK"); err != nil {
			c.Conn().Close(ctx) // the server rolls back
		}
		return nil
	})
}

// numbered writes the parameters of a statement the way PostgreSQL reads them.
func numbered(sql string) string {
	if !strings.Contains(sql, "?") {
		return sql
	}
	var out strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(sql, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString("$" + strconv.Itoa(n))
		sql = after
	}
}
