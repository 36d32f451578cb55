package io.github.bahagh.nimbus

import java.util.zip.GZIPInputStream

/**
 * A [Transport] for tests of what a program tracks, without a server: it stores each event once, as the server does,
 * and fails as told.
 *
 * Give it as [Config.transport], and [Tracker.flush] before reading what came.
 */
public class Recorder : Transport {
    private val failures = java.util.ArrayDeque<Int>()
    private val storedEvents = LinkedHashMap<Any, Event>()
    private val storedOperations = LinkedHashMap<Any, Operation>()
    private var count = 0

    /** Answers the next requests with these statuses; 0 breaks the connection off. */
    @Synchronized
    public fun fail(vararg statuses: Int) {
        statuses.forEach { failures.add(it) }
    }

    /** What is stored, in the order in which it came. */
    public val events: List<Event>
        @Synchronized get() = storedEvents.values.toList()

    /** What is stored of people and groups. */
    public val operations: List<Operation>
        @Synchronized get() = storedOperations.values.toList()

    /** How many requests came. */
    public val requests: Int
        @Synchronized get() = count

    @Synchronized
    override fun send(request: HttpRequest): HttpResponse {
        count++
        val failure = failures.poll()
        if (failure == 0) throw java.io.IOException("broken off, as told")
        if (failure != null) {
            val problem = mapOf("type" to "t", "title" to "t", "status" to failure, "detail" to "as told", "code" to "scripted")
            return answer(failure, "application/problem+json", problem + ("request_id" to "r"))
        }
        val raw = request.body ?: ByteArray(0)
        val text = if (request.headers["Content-Encoding"] == "gzip") GZIPInputStream(raw.inputStream()).readBytes() else raw
        val body = Json.parse(text) as Map<*, *>
        val items = (body["events"] ?: body["operations"]) as List<*>
        val duplicates = items.count { !store(it as Map<*, *>) }
        return answer(200, "application/json", mapOf("accepted" to items.size - duplicates, "duplicates" to duplicates, "rejected" to 0))
    }

    /** Whether it was not there before. */
    private fun store(json: Map<*, *>): Boolean {
        if ("op" in json) {
            val o = Decoder.operation(json)
            return storedOperations.putIfAbsent(listOf(o.op, o.userId, o.anonymousId, o.group, o.ts, o.idempotencyKey), o) == null
        }
        val e = Decoder.event(json)
        val person = if (e.userId.isNullOrEmpty()) "a" to e.anonymousId else "u" to e.userId
        return storedEvents.putIfAbsent(listOf(e.name, e.ts, person, e.idempotencyKey), e) == null
    }

    private fun answer(status: Int, type: String, json: Any): HttpResponse =
        HttpResponse(status, mapOf("content-type" to type), Json.write(json).toByteArray().inputStream())
}
