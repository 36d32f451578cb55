package io.github.bahagh.nimbus

import io.github.bahagh.nimbus.api.Client
import io.github.bahagh.nimbus.api.CreateInsightRequest
import io.github.bahagh.nimbus.api.CreateProjectRequest
import io.github.bahagh.nimbus.api.FilterEqual
import io.github.bahagh.nimbus.api.FilterEqualOp
import io.github.bahagh.nimbus.api.FunnelInsight
import io.github.bahagh.nimbus.api.FunnelQuestion
import io.github.bahagh.nimbus.api.FunnelStep
import io.github.bahagh.nimbus.api.HealthStatus
import io.github.bahagh.nimbus.api.LiveEvent
import io.github.bahagh.nimbus.api.LiveHello
import io.github.bahagh.nimbus.api.ProjectWithSecret
import io.github.bahagh.nimbus.api.RegisterRequest
import io.github.bahagh.nimbus.api.SavedQuestion
import io.github.bahagh.nimbus.api.Session as LoggedIn
import io.github.bahagh.nimbus.api.UpdateProjectRequest
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import java.io.File
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL
import java.nio.file.Files
import java.time.Duration
import java.time.Instant
import java.util.UUID
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/** The real program, with a database of its own. */
private class Nimbus {
    private val dir = Files.createTempDirectory("nimbus-kotlin-").toFile().apply { setReadable(true, false); setExecutable(true, false) } // for PostgreSQL's account
    private var process: Process? = null

    /** Changes with each start. */
    @Volatile
    var port = 0

    /** Of clients; [Through] leads it to the port. */
    val url = "http://127.0.0.1:1"

    inner class Through : UrlTransport() {
        override fun open(url: URL): HttpURLConnection = super.open(URL("http", url.host, port, url.file))
    }

    fun start() {
        val run = ProcessBuilder(System.getenv("NIMBUS_BIN") ?: built("nimbus", "./cmd/nimbus"), "serve").directory(dir)
        run.environment().keys.removeIf { it.startsWith("NIMBUS_") && it != "NIMBUS_POSTGRES_BIN" }
        run.environment() += mapOf(
            "NIMBUS_ADDR" to "127.0.0.1:0", "NIMBUS_ADMIN_ADDR" to "off", "NIMBUS_BCRYPT_COST" to "4", "NIMBUS_RATE_LIMIT_ENABLED" to "false",
            "NIMBUS_DATA_DIR" to File(dir, "data").path,
        )
        val started = run.start()
        process = started
        val lines = started.errorStream.bufferedReader()
        val said = ArrayList<String>()
        while (true) {
            val line = lines.readLine() ?: error("the program ended:\n" + said.joinToString("\n"))
            said.add(line)
            port = Regex("msg=ready url=\\S+:(\\d+)").find(line)?.groupValues?.get(1)?.toInt() ?: continue
            break
        }
        thread(isDaemon = true) { // a full pipe would stop it
            try {
                lines.forEachLine { }
            } catch (_: IOException) {
                return@thread // it has ended
            }
        }
    }

    fun kill() {
        process?.destroyForcibly()?.waitFor()
    }

    fun stop() {
        process?.destroy()
        process?.waitFor()
        dir.deleteRecursively()
    }
}

/** The tracker and the client against the real program. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NimbusTest {
    private val nimbus = Nimbus()
    private val client = Client(nimbus.url, transport = nimbus.Through())
    private lateinit var made: ProjectWithSecret

    @BeforeAll
    fun start() {
        nimbus.start()
        client.register("${UUID.randomUUID()}@example.com", "Correct-Horse-7")
        made = client.projects.createProject(CreateProjectRequest("Web shop", currency = "EUR"), idempotencyKey = "once")
    }

    @AfterAll
    fun stop() = nimbus.stop()

    private fun project() = client.projects.createProject(CreateProjectRequest(name = "${UUID.randomUUID()}"))

    private fun config(of: ProjectWithSecret) = Config(nimbus.url, of.project.id, keyId = of.apiKeyId, secret = of.apiKeySecret, transport = nimbus.Through())

    @Test
    fun `what is tracked is stored and answers questions`() {
        val shop = project()
        Tracker(config(shop)).use { tracker ->
            val visitor = tracker.visitor()
            taken(visitor.page(mapOf("page" to "/")))
            taken(visitor.identify("ada", mapOf("plan" to "pro")))
            taken(visitor.track("paid", mapOf("total" to 9.5, "plan" to "pro")))
            assertEquals(null, tracker.flush(Duration.ofMinutes(1)))
            assertEquals(Stats(tracked = 3, delivered = 3, requests = 2), tracker.stats())
        }
        val id = shop.project.id
        val stored = client.eachEvent(id).toList()
        assertEquals(setOf("paid", "\$pageview"), stored.map { it.name }.toSet())
        assertEquals(9.5, stored.first { it.name == "paid" }.props["total"])
        assertEquals(stored[0], client.events.getEvent(stored[0].id))
        assertEquals(2, client.received(id).sumOf { it.items.size })
        val steps = listOf(FunnelStep(event = "\$pageview"), FunnelStep(event = "paid", filter = FilterEqual(FilterEqualOp.EQ, "plan", "pro")))
        val from = Instant.now().minus(Duration.ofDays(1))
        val to = Instant.now().plus(Duration.ofDays(1))
        // A program without an account asks with the keys of a project.
        val keys = Client(nimbus.url, Credentials.Secret(shop.apiKeySecret), nimbus.Through())
        assertEquals(listOf(1L, 1L), keys.insights.askFunnel(FunnelQuestion(id, from, to, steps)).counts)
        assertEquals("pro", client.people.getPerson(id, "u:ada").props["plan"])
        // A sum of the contract is a sealed interface, there and back.
        val saved = client.saved.createInsight(id, CreateInsightRequest("Paying", FunnelInsight(from, to, steps)))
        assertEquals("plan", isA<FilterEqual>(isA<FunnelInsight>(client.saved.getInsight(id, saved.id).question).steps[1].filter).prop)
        assertTrue(client.audit.exportAudit(id).bufferedReader().use { it.readLines() }.isNotEmpty())
    }

    @Test
    fun `operations of every method, their errors and their lists`() {
        val id = made.project.id
        assertEquals(id, client.projects.createProject(CreateProjectRequest("Web shop", currency = "EUR"), idempotencyKey = "once").project.id)
        assertEquals("Shop", client.projects.updateProject(id, UpdateProjectRequest(name = "Shop")).name) // a PATCH
        val other = project()
        client.projects.deleteProject(other.project.id)
        val listed = client.pages({ client.projects.listProjects(limit = 1, cursor = it) }, { it.items to it.nextCursor }).map { it.id }.toList()
        assertTrue(id in listed && other.project.id !in listed, "$listed")
        val invalid = assertThrows(ApiException::class.java) { client.projects.createProject(CreateProjectRequest("", dataRetentionDays = -1)) }
        assertEquals(listOf(422, "validation_failed", 422L), listOf(invalid.status, invalid.code, invalid.problem["status"]))
        assertTrue(invalid.errors.size == 2 && invalid.requestId.isNotEmpty() && invalid.type.isNotEmpty() && invalid.title.isNotEmpty(), "$invalid")
        assertEquals(404, assertThrows(ApiException::class.java) { client.events.getEvent("00000000-0000-8000-8000-000000000000") }.status)
        assertEquals(HealthStatus.READY, client.operations.getHealth().status)
    }

    @Test
    fun `a session renews itself`() {
        val kept = ArrayList<LoggedIn>()
        val email = "${UUID.randomUUID()}@example.com"
        val other = Client(nimbus.url, transport = nimbus.Through())
        val session = other.accounts.register(RegisterRequest(email, "Correct-Horse-7"))
        other.onSession = { kept.add(it) }
        other.resume(session.copy(expiresIn = 0))
        assertEquals(email, other.accounts.getMe().email)
        assertEquals(2, kept.size)
        assertTrue(kept[1].refreshToken != session.refreshToken)
        other.accounts.logout(refreshToken = kept[1].refreshToken)
        other.resume(kept[1].copy(expiresIn = 0))
        assertEquals(401, assertThrows(ApiException::class.java) { other.accounts.getMe() }.status)
    }

    @Test
    fun `a live stream has what is stored from now on`() {
        val shop = project()
        client.live.streamEvents(shop.project.id).use { frames ->
            isA<LiveHello>(frames.next())
            Tracker(config(shop)).use { taken(it.track("now")) }
            val event = frames.asSequence().first { it is LiveEvent } as LiveEvent
            assertEquals("now", event.event.name)
        }
    }

    /** The server dies under load and comes back: each event is stored once. */
    @Test
    fun `nothing is lost or doubled when the server is killed`() {
        val shop = project()
        val tracker = Tracker(config(shop).apply { flushEvents = 20; minBackoff = Duration.ofMillis(10); maxBackoff = Duration.ofMillis(100); logger = Logger { _, _ -> } })
        val tracked = AtomicInteger()
        val load = thread {
            repeat(EVENTS) {
                taken(tracker.track("e", mapOf("n" to it)))
                tracked.incrementAndGet()
                if (it % 10 == 0) Thread.yield()
            }
        }
        while (tracker.stats().delivered < EVENTS / 4) Thread.onSpinWait()
        nimbus.kill()
        load.join()
        nimbus.start()
        assertEquals(null, tracker.close(Duration.ofMinutes(1)))
        assertEquals(EVENTS.toLong(), tracker.stats().delivered)
        assertEquals((0L until EVENTS).toList(), client.eachEvent(shop.project.id).map { it.props["n"] as Long }.sorted().toList())
    }

    private companion object {
        const val EVENTS = 2000
    }
}

/** A program that is killed: it tracks and says so. */
object Victim {
    @JvmStatic
    fun main(args: Array<String>) {
        val config = Config(args[0], PROJECT, keyId = "nk_test", secret = "ns_test", spoolDir = File(args[1]), flushEvents = 20, whenFull = FullPolicy.BLOCK)
        val tracker = Tracker(config)
        var k = 0
        while (true) {
            taken(tracker.track("e", null, Options(idempotencyKey = "$k")))
            println(k++)
        }
    }
}

class CrashTest {
    /** With a spool, a call that returned null means that the event will be stored, though the program is killed while it sends. */
    @Test
    fun `what was tracked before a kill is stored once`() {
        scripted("""{"replies": [{"times": 3}, {"drop": "after"}, {"times": 5}, {"hold": true}]}""") {
            val dir = Files.createTempDirectory("spool").toFile()
            val java = File(System.getProperty("java.home"), "bin/java").path
            val victim = ProcessBuilder(java, "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), Victim::class.java.name, url, dir.path)
                .redirectError(ProcessBuilder.Redirect.INHERIT).start()
            val said = ArrayList<String>()
            val reading = thread { victim.inputStream.bufferedReader().forEachLine { said.add(it) } }
            report("waiting=1")
            victim.destroyForcibly().waitFor()
            reading.join()
            val x = tracker { spoolDir = dir }
            x.flush()
            val stored = report().stored
            // The last may not have been said, or its line not whole.
            assertTrue(said.size > 1 && stored.size in said.size - 1..said.size + 1, "${said.size} tracked, ${stored.size} stored")
            assertEquals(stored.size, stored.toSet().size)
            assertEquals(emptySet<String>(), said.dropLast(1).toSet() - stored.toSet(), "lost")
            assertTrue(x.stats.tracked > 0 && x.dropped.isEmpty())
        }
    }
}
