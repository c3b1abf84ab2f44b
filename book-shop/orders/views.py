"""Views of cart, checkout and orders. cart.py and checkout.py contain the rules."""

import uuid

from books.models import Book
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import BadRequest, ValidationError
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orders import checkout, payments
from orders.cart import Cart, quote
from orders.forms import CheckoutForm, CopiesForm
from orders.models import Order

REMEMBERED = 50  # orders per session that a guest can view
ORDERS_A_PAGE = 10


@never_cache
@require_safe
def show_cart(request):
    """Show the cart with current prices."""
    return render(request, "orders/cart.html", {"quote": quote(Cart(request.session).copies)})


@require_POST
def add_to_cart(request, pk):
    """Add copies of a book to the cart."""
    return _put(request, pk, Cart(request.session).copies.get(pk, 0))


@require_POST
def change_cart(request, pk):
    """Change the number of copies of a book in the cart."""
    return _put(request, pk, 0)


def _put(request, pk, held):
    book, form = get_object_or_404(Book, pk=pk), CopiesForm(request.POST)
    try:
        if not form.is_valid():
            raise ValidationError(form.errors["copies"].as_data())
        Cart(request.session).put(book, held + form.cleaned_data["copies"])
    except ValidationError as fault:
        for sentence in fault.messages:
            messages.error(request, sentence)
    else:
        messages.success(request, _("“%(title)s” is in your cart.") % {"title": book.title})
    return redirect("cart")


@require_POST
def remove_from_cart(request, pk):
    """Remove a book from the cart, even if it was deleted from the shop."""
    Cart(request.session).remove(pk)
    return redirect("cart")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def check_out(request):
    """Show the checkout form, or place the order."""
    cart = Cart(request.session)
    if request.method == "POST":
        return _order(request, cart)
    if quote(cart.copies).faults:
        return redirect("cart")  # the cart lists the faults
    user = request.user
    known = {"name": user.get_full_name(), "email": user.email} if user.is_authenticated else {}
    return _form(request, cart, CheckoutForm(initial=known), uuid.uuid4())


def _form(request, cart, form, key, status=200):
    context = {"form": form, "key": key, "quote": quote(cart.copies)}
    return render(request, "orders/checkout.html", context, status=status)


def _order(request, cart):
    try:
        key = uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        raise BadRequest("The form has no valid key.") from None
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return _form(request, cart, form, key)
    address = {name: form.cleaned_data[name] for name in CheckoutForm.Meta.fields}
    method = payments.METHODS[form.cleaned_data["payment"]]
    reader = request.user if request.user.is_authenticated else None
    try:
        # The order and the session are saved in one transaction, so that a crash leaves both or neither.
        with transaction.atomic():
            order, is_new = checkout.place_order(
                key, cart.copies, request.POST.get("total", ""), address, method, reader
            )
            if is_new:
                cart.empty()
                request.session["orders"] = [str(key), *request.session.get("orders", [])][:REMEMBERED]
                request.session.save()
    except checkout.Refused as refusal:
        for reason in refusal.reasons:
            form.add_error(None, reason)
        return _form(request, cart, form, key, status=409)
    except UpdateError:
        raise SessionInterrupted("The session ended during the checkout. Nothing was ordered.") from None
    if not (is_new or _is_own(request.user, _stored(request.session), order)):
        raise Http404
    return redirect(order)


def _stored(session):
    # Read again, because another request may have placed the order since this one loaded its session.
    return type(session)(session.session_key)


def _is_own(user, session, order) -> bool:
    return (user.is_authenticated and order.reader_id == user.pk) or str(order.key) in session.get("orders", [])


def _own_order(request, key) -> Order:
    order = get_object_or_404(Order, key=key)
    if not _is_own(request.user, request.session, order):
        raise Http404
    return order


@never_cache
@require_safe
def show_order(request, key):
    """Show an order to its buyer."""
    order = _own_order(request, key)
    return render(request, "orders/order.html", {"order": order, "method": payments.METHODS.get(order.payment)})


@require_POST
def cancel_order(request, key):
    """Cancel an order that was not shipped yet."""
    order = _own_order(request, key)
    try:
        checkout.cancel(order)
    except checkout.Refused as refusal:
        for reason in refusal.reasons:
            messages.error(request, reason)
    return redirect(order)


@never_cache
@require_safe
@login_required
def show_orders(request):
    """List the orders of the reader, latest first. `before` is the last order of the previous page."""
    orders = Order.objects.filter(reader=request.user).order_by("-pk")
    before = request.GET.get("before", "")
    if before:
        if not (before.isascii() and before.isdigit() and len(before) < 19):
            raise Http404
        orders = orders.filter(pk__lt=int(before))
    found = list(orders[: ORDERS_A_PAGE + 1])  # an additional order shows that there is another page
    page = found[:ORDERS_A_PAGE]
    return render(
        request, "orders/orders.html", {"orders": page, "before": page[-1].pk if len(found) > len(page) else None}
    )
