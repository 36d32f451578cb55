// Package backup writes everything Nimbus stores into a directory, and makes a database of it again.
//
// A backup is one moment: every table is read in one snapshot while the server goes on. It is made of COPY, compressed, one
// file a table, and a manifest that is written last and names each file with its rows and its SHA-256: a directory without a
// manifest is no backup, and a file that has changed since is found before anything is restored. It needs no other program
// than Nimbus, and it can be restored into another major version of PostgreSQL and by a later Nimbus.
//
// A restore is all or nothing: one transaction, into a database that holds nothing yet. It begins with the schema the backup
// was made with and ends with the one this Nimbus has.
//
// What a backup does not hold is NIMBUS_SECRET_KEY, under which the secrets of API keys are encrypted: a person who finds a backup
// must not be able to sign. The manifest names the keys that are needed.
package backup
