package database

import (
	"context"
	"database/sql/driver"
	"errors"
)

// immediate opens SQLite connections whose transactions take the write lock at
// their first word. The driver ignores _txlock beside _time_format, and a
// transaction that only asks for the lock at its first write fails with "locked"
// at once, however long the busy timeout, when another process wrote meanwhile.
type immediate struct {
	driver driver.Driver
	dsn    string
}

// sqliteConn is what the driver's connections can do and database/sql asks for.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
}

func (i immediate) Driver() driver.Driver { return i.driver }

func (i immediate) Connect(context.Context) (driver.Conn, error) {
	c, err := i.driver.Open(i.dsn)
	if err != nil {
		return nil, err
	}
	able, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver lacks a method that database/sql needs"), c.Close())
	}
	return immediateConn{able}, nil
}

type immediateConn struct{ sqliteConn }

// BeginTx waits as long as the busy timeout says.
func (c immediateConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	begin := "BEGIN IMMEDIATE"
	if opts.ReadOnly {
		begin = "BEGIN"
	}
	if err := c.say(ctx, begin); err != nil {
		return nil, err
	}
	return immediateTx{c, ctx}, nil
}

// say is never cut short: a connection must not return to the pool with its
// transaction half begun or half ended.
func (c immediateConn) say(ctx context.Context, statement string) error {
	_, err := c.ExecContext(context.WithoutCancel(ctx), statement, nil)
	return err
}

type immediateTx struct {
	conn immediateConn
	ctx  context.Context
}

func (t immediateTx) Commit() error   { return t.conn.say(t.ctx, "COMMIT") }
func (t immediateTx) Rollback() error { return t.conn.say(t.ctx, "ROLLBACK") }
