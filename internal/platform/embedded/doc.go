// Package embedded runs a private PostgreSQL beside Nimbus, so that nothing has to be set up before the first event.
//
// What it guarantees:
//
//   - The server is an ordinary PostgreSQL, found on this machine (see [FindBinaries]); nothing is patched or linked in.
//   - It listens on a unix socket in a directory that only the account running it can enter. It opens no port, so there is
//     no password to choose and none to leak.
//   - One data directory has one Nimbus. A second one is refused at once and told who holds it, before it touches a file.
//   - A cluster exists in full or not at all: initdb works in a directory beside it, which is then renamed into place.
//   - The server ends with Nimbus, also after kill -9 of Nimbus. Should one have survived all the same, the next Start
//     stops it, waits, and starts anew. A crash of the server itself is repaired by PostgreSQL's own recovery on the next
//     Start; what had been acknowledged is there again.
//   - Started as root it runs as the owner of the data directory, else as "postgres", else as "nobody": PostgreSQL
//     refuses to run as root.
//
// What happens when that fails: Start returns an error of one or two lines which names the directory, program or account
// at fault and what to do about it; the last lines PostgreSQL itself wrote are added where it was the one that failed.
// When the running server ends without having been asked to, [Server.Done] is closed and [Server.Err] says why.
package embedded
