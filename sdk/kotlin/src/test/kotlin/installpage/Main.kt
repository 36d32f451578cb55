package installpage

import io.github.bahagh.nimbus.Config
import io.github.bahagh.nimbus.Options
import io.github.bahagh.nimbus.Tracker

fun main() {
    val tracker = Tracker(
        Config(
            url = "https://n.example",
            projectId = "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            keyId = "nk_1",
            secret = System.getenv("NIMBUS_SECRET"),
        ),
    )
    tracker.track("signed_up", mapOf("plan" to "pro"), Options(userId = "user_1"))
    tracker.close() // when the program ends: sends what waits
    println("events stored: ${tracker.stats().delivered}")
}
