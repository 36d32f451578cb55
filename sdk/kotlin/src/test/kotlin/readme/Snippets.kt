package readme

import io.github.bahagh.nimbus.ApiException
import io.github.bahagh.nimbus.Config
import io.github.bahagh.nimbus.Credentials
import io.github.bahagh.nimbus.FileStore
import io.github.bahagh.nimbus.Options
import io.github.bahagh.nimbus.Recorder
import io.github.bahagh.nimbus.Store
import io.github.bahagh.nimbus.Tracker
import io.github.bahagh.nimbus.api.Client
import io.github.bahagh.nimbus.api.CreateProjectRequest
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File

// What README.md shows, so that it compiles.

fun people(tracker: Tracker) {
    tracker.identify("user_123", mapOf("name" to "Ada"), Options(anonymousId = "a1")) // a1 was user_123 all the time
    tracker.addPeople(mapOf("orders" to 1), Options(userId = "user_123"))
    tracker.group("company", "acme", mapOf("plan" to "team"))
}

fun visitor(tracker: Tracker, filesDir: File) {
    val me = tracker.visitor(FileStore(File(filesDir, "nimbus-visitor")))
    me.screen("Cart", mapOf("items" to 2))
    me.identify("user_123")
    me.reset() // logging out
}

interface SharedPreferences {
    fun getString(name: String, otherwise: String?): String?

    fun edit(): Editor

    interface Editor {
        fun putString(name: String, value: String?): Editor

        fun apply()
    }
}

class Preferences(private val kept: SharedPreferences) : Store {
    override fun get(name: String): String? = kept.getString(name, null)
    override fun set(name: String, value: String?) = kept.edit().putString(name, value).apply()
}

fun app(filesDir: File, context: String) {
    val tracker = Tracker(
        Config(
            url = "https://nimbus.example.com",
            projectId = "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            writeKey = "nw_…", // users can take an app apart, so it has no secret
            spoolDir = File(filesDir, "nimbus"),
        ),
    )
    tracker.track(context)
}

fun api(email: String, password: String, id: String, kept: String?, secret: String) {
    val client = Client("https://nimbus.example.com")
    client.login(email, password) // renews its tokens from here on
    for (event in client.eachEvent(id)) println(event.name)
    for (page in client.received(id, after = kept)) println(page.resumeCursor) // an incremental export
    try {
        client.projects.createProject(CreateProjectRequest("Shop"))
    } catch (e: ApiException) {
        if (e.code == "validation_failed") e.errors.forEach { println("${it.pointer} ${it.detail}") } // every bad field
    }
    val keys = Client("https://nimbus.example.com", Credentials.Secret(secret)) // a program without an account
    println(keys.events.listEvents(id, limit = 10).items)
}

class SignUpTest {
    private fun signUp(tracker: Tracker, user: String) = tracker.track("signed_up", null, Options(userId = user))

    @Test
    fun `a sign-up is tracked`() {
        val sent = Recorder()
        val tracker = Tracker(Config("http://recorder", "3fa85f64-5717-4562-b3fc-2c963f66afa6", secret = "s", transport = sent))
        signUp(tracker, "ada")
        tracker.flush()
        assertEquals(listOf("ada"), sent.events.map { it.userId })
    }
}
