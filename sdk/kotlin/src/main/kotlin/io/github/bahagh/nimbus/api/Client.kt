package io.github.bahagh.nimbus.api

import io.github.bahagh.nimbus.ApiException
import io.github.bahagh.nimbus.Credentials
import io.github.bahagh.nimbus.HttpRequest
import io.github.bahagh.nimbus.HttpResponse
import io.github.bahagh.nimbus.Json
import io.github.bahagh.nimbus.JsonException
import io.github.bahagh.nimbus.Transport
import io.github.bahagh.nimbus.USER_AGENT
import io.github.bahagh.nimbus.UrlTransport
import java.io.Closeable
import java.io.IOException
import java.io.InputStream
import java.net.URLEncoder
import java.time.Duration
import java.time.Instant

/**
 * Calls everything that a Nimbus server offers: to ask questions, to read events, to manage projects. The operations
 * are those of openapi/nimbus.yaml, by tag: `client.projects.listProjects()`.
 *
 * An answer other than a success is an [ApiException]; without an answer there is an IOException. After [login]
 * requests carry an access token, which is renewed in time. A program without an account gives [Credentials] of a
 * project.
 *
 * It is safe for concurrent use. Each call waits for its answer: in an app, call it on a thread of its own.
 */
public class Client @JvmOverloads constructor(
    url: String,
    private val credentials: Credentials? = null,
    private val transport: Transport = UrlTransport(),
    private val timeout: Duration = Duration.ofSeconds(30),
) : ApiByTag() {
    private val base = url.trimEnd('/')
    private var session: Session? = null
    private var renewAt: Instant = Instant.MAX

    /**
     * Gets each new session, from [login] and whenever the tokens are renewed, before it is used. Set it before the
     * first call. A program that keeps sessions must keep the last, because a refresh token works once.
     */
    @Volatile
    public var onSession: (Session) -> Unit = {}

    /** Creates an account and logs in as it. */
    @Throws(IOException::class)
    public fun register(email: String, password: String): Unit = resume(accounts.register(RegisterRequest(email, password)))

    /** Logs in. What is called from then on is called as this account. */
    @Throws(IOException::class)
    public fun login(email: String, password: String): Unit = resume(accounts.login(LoginRequest(email, password)))

    /** Goes on with a session from somewhere else: one that [onSession] has kept, or of a registration. */
    @Synchronized
    public fun resume(session: Session) {
        onSession(session)
        this.session = session
        // Early enough for a request that is under way when it expires.
        val lifetime = session.expiresIn.toLong()
        renewAt = Instant.now().plusSeconds(lifetime - minOf(MARGIN_SECONDS, lifetime / 2))
    }

    /** An access token that is good for now, renewed if need be; null before [login]. */
    @Synchronized
    private fun token(expired: String? = null): String? {
        val s = session ?: return null
        if (s.accessToken != expired && Instant.now() < renewAt) return s.accessToken
        // Of concurrent callers one renews, since the refresh token works once; the others wait here, and find the new one.
        val renewed = accounts.refresh(refreshToken = s.refreshToken)
        resume(renewed)
        return renewed.accessToken
    }

    override fun open(call: Call): HttpResponse {
        if (call.token != null || call.path in WITHOUT_SESSION) return attempt(call, call.token)
        val token = token()
        return try {
            attempt(call, token)
        } catch (e: ApiException) {
            // Our clock and the server's differ, or the session was resumed.
            if (token == null || e.code != "token_expired") throw e
            attempt(call, token(expired = token))
        }
    }

    private fun attempt(call: Call, token: String?): HttpResponse {
        val body = call.body?.let { Json.write(it.toJson()).toByteArray() }
        val url = base + call.path + query(call.query)
        val headers = LinkedHashMap<String, String>()
        headers["Accept"] = call.accept
        headers["User-Agent"] = USER_AGENT
        if (body != null) headers["Content-Type"] = "application/json"
        call.headers.forEach { (name, value) -> if (value != null) headers[name] = shown(value) }
        if (token != null) headers["Authorization"] = "Bearer $token"
        else credentials?.let { headers += it.headers(call.method, url, body ?: ByteArray(0), Instant.now()) }
        val response = transport.send(HttpRequest(call.method, url, headers, body, timeout))
        if (isSuccess(call, response)) return response
        throw ApiException.of(response.status, response.headers, response.bytes(MAX_ANSWER))
    }

    /** What Nimbus did not write is none, such as a proxy's page with a 200. */
    private fun isSuccess(call: Call, response: HttpResponse): Boolean {
        val type = response.headers["content-type"].orEmpty().substringBefore(';').trim()
        return when (response.status) {
            202, 204 -> true
            302 -> call.accept == LOCATION
            in 200..299, call.also -> type == call.accept || call.accept == ANY && type != "text/html"
            else -> false
        }
    }

    private fun query(params: List<Pair<String, Any?>>): String {
        val all = params.flatMap { (name, value) -> (value as? List<*> ?: listOf(value)).filterNotNull().map { name to shown(it) } }
        if (all.isEmpty()) return ""
        return all.joinToString("&", "?") { (name, value) -> "$name=" + URLEncoder.encode(value, "UTF-8") }
    }

    private fun shown(value: Any?): String = when (value) {
        is Instant -> Json.timestamp(value)
        is Coded -> value.value
        else -> value.toString()
    }

    /**
     * Goes through the items of a list that comes in pages, which are fetched as they are needed. The page behind a
     * cursor is asked for, that behind null first: `client.pages({ projects.listProjects(cursor = it) }, { it.items
     * to it.nextCursor })`.
     */
    public fun <P, T> pages(page: (cursor: String?) -> P, parts: (P) -> Pair<List<T>, String?>): Sequence<T> = sequence {
        var cursor: String? = null
        do {
            val (items, next) = parts(page(cursor))
            yieldAll(items)
            cursor = next
        } while (cursor != null)
    }

    /** Goes through the events of a project, the newest first. */
    @JvmOverloads
    public fun eachEvent(
        projectId: String,
        name: List<String>? = null,
        since: Instant? = null,
        until: Instant? = null,
    ): Sequence<StoredEvent> = pages(
        { events.listEvents(projectId, name, since = since, until = until, limit = MOST_EVENTS, cursor = it) },
        { it.items to it.nextCursor },
    )

    /**
     * Goes through the pages of an incremental export: each event once, as they were received, until there are no
     * more for now. Keep the `resumeCursor` of a page once its events are dealt with, and give it to go on behind it,
     * whenever that is. An [ApiException] with the code `cursor_expired` says that it is too old: begin again without
     * one.
     */
    @JvmOverloads
    public fun received(projectId: String, after: String? = null): Sequence<EventPage> = pages(
        { events.listEvents(projectId, order = SortOrder.RECEIVED, limit = MOST_EVENTS, cursor = it ?: after) },
        { listOf(it) to it.nextCursor },
    )

    private companion object {
        const val MARGIN_SECONDS = 30L
        const val MOST_EVENTS = 1000
        const val MAX_ANSWER = 64 shl 20
        val WITHOUT_SESSION = setOf("/v1/auth/login", "/v1/auth/register", "/v1/auth/refresh")
    }
}

internal const val ANY: String = "*/*"
internal const val LOCATION: String = "text/html"

/** A call of an operation. */
internal class Call(
    val method: String,
    val path: String,
    val query: List<Pair<String, Any?>>,
    val headers: List<Pair<String, Any?>>,
    val body: Model?,
    /** Instead of that of the session. */
    val token: String?,
    val accept: String,
    /** A status that is a success too. */
    val also: Int,
)

/** What operations call. */
public abstract class Caller internal constructor() {
    internal abstract fun open(call: Call): HttpResponse

    internal fun json(
        method: String, path: String, query: List<Pair<String, Any?>> = emptyList(), headers: List<Pair<String, Any?>> = emptyList(),
        body: Model? = null, token: String? = null, also: Int = 0,
    ): Any? {
        val response = open(Call(method, path, query, headers, body, token, "application/json", also))
        val bytes = response.bytes(Int.MAX_VALUE)
        return try {
            Json.parse(bytes)
        } catch (_: JsonException) {
            throw ApiException.of(response.status, response.headers, bytes)
        }
    }

    internal fun send(
        method: String, path: String, query: List<Pair<String, Any?>> = emptyList(), headers: List<Pair<String, Any?>> = emptyList(),
        body: Model? = null, token: String? = null,
    ) {
        open(Call(method, path, query, headers, body, token, ANY, 0)).bytes(Int.MAX_VALUE)
    }

    /** The caller closes it. */
    internal fun stream(
        method: String, path: String, query: List<Pair<String, Any?>> = emptyList(), headers: List<Pair<String, Any?>> = emptyList(),
        body: Model? = null, token: String? = null, accept: String = ANY,
    ): InputStream = open(Call(method, path, query, headers, body, token, accept, 0)).body

    /** Where a redirect goes to. */
    internal fun location(
        method: String, path: String, query: List<Pair<String, Any?>> = emptyList(), headers: List<Pair<String, Any?>> = emptyList(),
    ): String = open(Call(method, path, query, headers, null, null, LOCATION, 0)).use { it.headers["location"].orEmpty() }
}

/** A value as a part of a path. */
internal fun segment(value: String): String = URLEncoder.encode(value, "UTF-8").replace("+", "%20")

/**
 * The frames of a live stream, as they come. Close it to end it. When the connection ends so does the stream: call
 * again with the cursor of the last frame to go on where it was.
 */
public class LiveStream internal constructor(body: InputStream) : Iterator<LiveFrame>, Closeable {
    private val lines = body.bufferedReader()
    private var frame: LiveFrame? = null

    override fun hasNext(): Boolean {
        while (frame == null) {
            val line = lines.readLine() ?: return false
            if (line.startsWith("data:")) frame = LiveFrame.fromJson(Json.parse(line.substring("data:".length).trim()))
        }
        return true
    }

    override fun next(): LiveFrame {
        if (!hasNext()) throw NoSuchElementException()
        return checkNotNull(frame).also { frame = null }
    }

    override fun close(): Unit = lines.close()
}
