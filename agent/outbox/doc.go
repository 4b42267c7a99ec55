// Package outbox delivers: what the records of incidents owe to receivers goes
// out, in order, until each has been told.
//
// There is no second queue to keep in step with the records. An incident is
// owed its present state, so what a receiver is owed follows from the record:
// the events after the last one it was told. One worker a receiver derives its
// debts from the records, tells them one after another, and writes into the
// record how that went. It writes before it sends as well, so that after a
// crash it is known that the receiver may have been told.
package outbox
