package readme

import io.github.bahagh.nimbus.Config
import io.github.bahagh.nimbus.Options
import io.github.bahagh.nimbus.Tracker

fun main() {
    val env = System.getenv()
    val tracker = Tracker(
        Config(
            url = env.getValue("NIMBUS_URL"),
            projectId = env.getValue("NIMBUS_PROJECT_ID"),
            keyId = env["NIMBUS_KEY_ID"],
            secret = env["NIMBUS_SECRET"],
        ),
    )
    tracker.track("signed_up", mapOf("plan" to "pro"), Options(userId = "user_123"))
    tracker.close() // when the program ends: sends what waits
    println("events stored: ${tracker.stats().delivered}")
}
