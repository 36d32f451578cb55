// A command-line program that tracks how it is used, and never keeps its user waiting for that: events go to a spool on
// disk first, and what cannot be delivered within a moment is delivered by the next run.

import io.github.bahagh.nimbus.Config
import io.github.bahagh.nimbus.FileStore
import io.github.bahagh.nimbus.Logger
import io.github.bahagh.nimbus.Tracker
import java.io.File
import java.time.Duration

/** How long the user waits at the end, at most. */
private val patience: Duration = Duration.ofMillis(500)

fun main(args: Array<String>) {
    val begun = System.nanoTime()
    println("Hello, ${args.joinToString(" ")}!") // what the program is for
    val env = System.getenv()
    val url = env["NIMBUS_URL"] ?: return // tracking is off
    val home = File(env["NIMBUS_CLI_HOME"] ?: (System.getProperty("user.home") + "/.cache/nimbus-kotlin-cli"))
    val tracker = Tracker(
        Config(
            url = url,
            projectId = env["NIMBUS_PROJECT_ID"].orEmpty(),
            writeKey = env["NIMBUS_WRITE_KEY"], // users can take the program apart, so it has no secret
            spoolDir = File(home, "spool"),
            logger = Logger { _, _ -> }, // the terminal is for the user
        ),
    )
    val user = tracker.visitor(FileStore(File(home, "visitor")))
    val took = (System.nanoTime() - begun) / 1_000_000.0
    user.track("command_run", mapOf("os" to System.getProperty("os.name"), "arguments" to args.size, "ms" to took))
    tracker.close(patience) // what is left waits in the spool
}
