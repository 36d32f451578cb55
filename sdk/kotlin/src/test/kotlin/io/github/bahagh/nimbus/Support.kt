package io.github.bahagh.nimbus

import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpResponse.BodyHandlers
import java.time.Duration
import java.time.Instant
import java.util.Collections
import java.util.concurrent.locks.Condition
import java.util.logging.Level
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue

/** The root of the repository. */
val root: File = File("../..").canonicalFile

fun vectors(name: String): Any? = Json.parse(File(root, "testvectors/$name.json").readText())

const val PROJECT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

/** Builds a Go program of the repository, and says where it is. */
fun built(name: String, source: String): String {
    val binary = File("target/$name").absolutePath
    val build = ProcessBuilder("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, source).directory(root).inheritIO()
    build.environment()["CGO_ENABLED"] = "0" // as everything else is compiled
    check(build.start().waitFor() == 0) { "go build $source" }
    return binary
}

/** The server that all SDKs are tested against (test/sdktest), started once for all tests; it ends with them. */
private val misbehaving: String by lazy {
    val server = ProcessBuilder(built("sdktest", "./test/sdktest/cmd"), "-until-eof").redirectError(ProcessBuilder.Redirect.INHERIT).start()
    server.inputStream.bufferedReader().readLine() ?: error("the server does not say where it is")
}

private val http: HttpClient = HttpClient.newHttpClient()

/** Sends a request, and returns the JSON of the answer. */
fun exchange(method: String, url: String, body: String, status: Int, vararg headers: String): Any? {
    val request = java.net.http.HttpRequest.newBuilder(URI(url)).method(method, java.net.http.HttpRequest.BodyPublishers.ofString(body))
        .header("Content-Type", "application/json")
    if (headers.isNotEmpty()) request.headers(*headers)
    val answer = http.send(request.build(), BodyHandlers.ofString())
    assertEquals(status, answer.statusCode(), "$method $url: ${answer.body()}")
    return answer.body().takeIf { it.isNotEmpty() }?.let { Json.parse(it) }
}

/** A request that arrived. */
class Arrived(json: Map<*, *>) {
    val receivedAt: Instant = Instant.parse(json["received_at"] as String)
    val path = json["path"] as String
    val headers = json["headers"] as Map<*, *>
    val signature = json["signature"] as String
    val bodyBytes = (json["body_bytes"] as Number).toInt()
    val text = json["text"] as? String ?: ""
    val projectId = json["project_id"] as? String
    val events = (json["events"] as? List<*>).orEmpty().map { Decoder.event(it as Map<*, *>) }
    val operations = (json["operations"] as? List<*>).orEmpty().map { Decoder.operation(it as Map<*, *>) }
    val status = (json["status"] as Number).toInt()
    val names get() = events.joinToString(" ") { it.name }
}

class Report(json: Map<*, *>) {
    val requests = (json["requests"] as? List<*>).orEmpty().map { Arrived(it as Map<*, *>) }
    val stored = (json["stored"] as? List<*>).orEmpty().map { it as String }
}

/** The server as one test has scripted it. */
class Session(script: String = "{}") : AutoCloseable {
    val url = (exchange("POST", "$misbehaving/__script", script, 201) as Map<*, *>)["url"] as String
    private val trackers = ArrayList<Tracked>()

    /** What has arrived; query says what to wait for: "requests=2" answered, "waiting=1" held. */
    fun report(query: String = "") = Report(exchange("GET", "$url/__requests?$query", "", 200) as Map<*, *>)

    fun release() {
        exchange("POST", "$url/__release", "", 204)
    }

    /** Sends to the session, only when told to, and tries again at once, unless change says otherwise. */
    fun tracker(change: Config.() -> Unit = {}) = Tracked(Config(url, PROJECT, keyId = "nk_test", secret = "ns_test"), change).also { trackers.add(it) }

    /** What is left does not matter. */
    override fun close() = trackers.forEach { it.close(Duration.ZERO) }
}

/** Runs a test with a session. */
fun scripted(script: String = "{}", test: Session.() -> Unit) = Session(script).use(test)

/** A tracker and what it has reported. */
class Tracked(config: Config, change: Config.() -> Unit) {
    val dropped: MutableList<Pair<Event, NimbusException>> = Collections.synchronizedList(ArrayList())
    val droppedOperations: MutableList<Pair<Operation, NimbusException>> = Collections.synchronizedList(ArrayList())
    private val lines: MutableList<String> = Collections.synchronizedList(ArrayList())
    val log get() = synchronized(lines) { lines.joinToString("\n") }
    val tracker: Tracker

    init {
        config.flushInterval = Duration.ofHours(1)
        config.minBackoff = Duration.ofMillis(1)
        config.maxBackoff = Duration.ofMillis(5)
        config.logger = Logger { level: Level, message: String -> lines.add("$level $message") }
        config.onDrop = OnDrop { event, why -> dropped.add(event to why) }
        config.onDropOperation = OnDropOperation { operation, why -> droppedOperations.add(operation to why) }
        config.change()
        tracker = Tracker(config)
    }

    fun track(vararg names: String) = names.forEach { taken(tracker.track(it)) }

    fun flush() {
        taken(tracker.flush())
        addUp()
    }

    fun addUp() = stats.let { assertEquals(it.tracked, it.delivered + it.rejected + it.dropped + it.waiting, "the counts do not add up: $it") }

    fun close(timeout: Duration) = tracker.close(timeout)

    val stats get() = tracker.stats()
}

/** Ends a test whose call failed. */
fun taken(why: NimbusException?) {
    if (why != null) throw why
}

/** Sends to a recorder. */
fun recorded(change: Config.() -> Unit = {}, test: Tracked.(Recorder) -> Unit) {
    val recorder = Recorder()
    val x = Tracked(Config("http://recorder", PROJECT, secret = "s")) { transport = recorder; change() }
    try {
        x.test(recorder)
    } finally {
        x.close(Duration.ZERO)
    }
}

/** Is moved by hand; or, when it runs, waiting takes no time, and what was waited is noted. */
class FakeClock(private val runs: Boolean = false) : Clock {
    private var nanos = 0L
    val waits: MutableList<Long> = Collections.synchronizedList(ArrayList()) // in ms

    @Synchronized
    override fun now(): Instant = Instant.parse("2026-01-15T10:30:00Z").plusNanos(nanos)

    @Synchronized
    override fun nanos(): Long = nanos

    fun pass(time: Duration) = synchronized(this) { nanos += time.toNanos() }

    override fun await(condition: Condition, nanos: Long) {
        if (runs) {
            pass(Duration.ofNanos(nanos))
            waits.add(nanos / 1_000_000)
        } else {
            condition.awaitNanos(1_000_000) // whoever waits looks at the clock again
        }
    }
}

inline fun <reified T> isA(value: Any?): T {
    assertTrue(value is T, "$value is no ${T::class.simpleName}")
    return value as T
}
