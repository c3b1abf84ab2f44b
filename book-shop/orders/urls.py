"""URLs of cart, checkout and orders."""

from django.urls import path

from orders import views

urlpatterns = [
    path("cart", views.show_cart, name="cart"),
    path("cart/<int:pk>/add", views.add_to_cart, name="cart-add"),
    path("cart/<int:pk>/change", views.change_cart, name="cart-change"),
    path("cart/<int:pk>/remove", views.remove_from_cart, name="cart-remove"),
    path("checkout", views.check_out, name="checkout"),
    path("orders", views.show_orders, name="order-list"),
    path("order/<uuid:key>/", views.show_order, name="order"),
    path("order/<uuid:key>/cancel", views.cancel_order, name="order-cancel"),
]
