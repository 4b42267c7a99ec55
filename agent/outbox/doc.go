// Package outbox delivers: what the records of incidents owe to receivers goes
// out, in order, until each has been told.
//
// There is no second queue to keep in step with the records. An incident is
// owed its present state, so what a receiver is owed follows from the record:
// the events after the last one it was told. One worker a receiver derives its
// debts from the records, tells them one after another, and writes into the
// record how that went. It writes before it sends as well, so that after a
// crash it is known that the receiver may have been told.
//
// Many incidents at once are told as one digest. That is derived too: from when
// incidents came, and from the deliveries that say in which digest an incident
// was told. The first of them leads: its delivery holds the digest's receipt and
// how the telling goes, and it is written first and last in each attempt. A
// receiver that forgets is told the same again; that is kept in memory only.
package outbox
